"""Private projects and their members from the command line."""

from tests.unit.cli.conftest import Cli, FakeApi

PROJECTS = "/api/v1/projects"
PROJECT = {"id": "prj_1", "name": "api", "description": "", "visibility": "private", "version": 3}
MEMBER = {"project_id": "prj_1", "actor_id": "usr_1", "added_at": "2026-01-31T12:00:00.000Z", "added_by": "usr_2"}


def test_a_project_is_private_when_it_is_asked_for(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", PROJECTS, PROJECT, status=201)
    cli.json("projects", "create", "api", "--private")
    cli.json("projects", "create", "api")
    private, plain = (request.json for request in api.sent("POST", PROJECTS))
    assert private == {"name": "api", "description": "", "visibility": "private"}
    assert plain == {"name": "api", "description": ""}


def test_the_list_tells_who_sees_what(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    assert "private" in cli.run("projects", "list").stdout


def test_the_visibility_of_a_project_is_changed_at_the_version_that_was_read(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    api.answer("PATCH", f"{PROJECTS}/prj_1", {**PROJECT, "visibility": "tenant"})
    assert cli.json("projects", "visibility", "api", "tenant")["visibility"] == "tenant"
    assert api.sent("PATCH", f"{PROJECTS}/prj_1")[0].json == {"version": 3, "visibility": "tenant"}
    assert cli.run("projects", "visibility", "api", "nobody").exit_code == 2


def test_members_are_listed_let_in_and_taken_out(cli: Cli, api: FakeApi) -> None:
    path = f"{PROJECTS}/prj_1/members"
    api.answer("GET", f"{PROJECTS}/prj_1", PROJECT)
    api.items(path, MEMBER)
    api.answer("PUT", f"{path}/usr_1", MEMBER)
    api.answer("DELETE", f"{path}/usr_1", None, status=204)
    assert cli.json("projects", "members", "list", "prj_1")["items"] == [MEMBER]
    assert cli.json("projects", "members", "add", "prj_1", "usr_1") == MEMBER
    removed = {"project_id": "prj_1", "actor_id": "usr_1", "status": "removed"}
    assert cli.json("projects", "members", "remove", "prj_1", "usr_1") == removed
    assert "usr_1" in cli.run("projects", "members", "list", "prj_1").stdout


def test_what_is_no_id_cannot_lead_elsewhere(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{PROJECTS}/prj_1", PROJECT)
    assert cli.run("projects", "members", "remove", "prj_1", "../../prj_2").exit_code != 0
    assert [request.path for request in api.requests if request.method == "DELETE"] == [
        f"{PROJECTS}/prj_1/members/..%2F..%2Fprj_2"
    ]
