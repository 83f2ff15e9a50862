"""What a name means where it is given in place of an id."""

import pytest

from tests.unit.cli.conftest import Cli, FakeApi


@pytest.mark.parametrize("kind", ["projects", "collections"])
def test_a_name_of_several_things_or_of_none_deletes_nothing(cli: Cli, api: FakeApi, kind: str) -> None:
    path = f"/api/v1/{kind}"
    api.items(path, {"id": "one", "name": "Plans"}, {"id": "two", "name": "Plans"}, {"id": "three", "name": "Else"})
    several, none = cli.run(kind, "delete", "Plans"), cli.run(kind, "delete", "Nothing")
    assert (several.exit_code, none.exit_code) == (2, 4)
    assert "Give an id: one, two." in several.stderr
    assert f"'almanac {kind} list' shows them." in none.stderr
    assert [request for request in api.requests if request.method != "GET"] == []


def test_an_id_with_slashes_in_it_leads_nowhere_else(cli: Cli, api: FakeApi) -> None:
    cli.run("projects", "get", "prj_1/../../tenants")
    assert [request.path for request in api.requests] == ["/api/v1/projects/prj_1%2F..%2F..%2Ftenants"]


def test_a_member_that_nobody_is_called_is_not_found(cli: Cli, api: FakeApi) -> None:
    api.items("/api/v1/members")
    assert cli.run("members", "remove", "eve@example.org").exit_code == 4
