"""Private projects over HTTP: who sees one, who lets others in, and what the rest of the tenant is told: nothing."""

import asyncio
from typing import Any

import pytest

from almanac.access import ROLES, Permission, Role
from almanac.aws import keys
from almanac.aws.table import dynamo, plain
from almanac.ids import new_id
from projects import wiring
from tests.integration.harness import Answer, Stack
from tests.integration.projects.people import Colleague, colleague, machine
from tests.integration.projects.workspace import URL, Workspace

MEMBER = ROLES[Role.MEMBER]


@pytest.fixture
def ada(work: Workspace) -> Colleague:
    return colleague(work.stack, work.tenant)


@pytest.fixture
def bob(work: Workspace) -> Colleague:
    return colleague(work.stack, work.tenant)


def shown(answer: Answer, *ids: str) -> tuple[int, Any]:
    """Return what a caller can tell from an answer, without what it sent itself."""
    body = answer.json if answer.text else {}
    body.pop("correlation_id", None)
    text = repr(body)
    for value in ids:
        text = text.replace(value, "<id>")
    return answer.status, text


def listed(caller: Colleague, **query: Any) -> list[str]:
    return [project["id"] for project in caller.call("GET", "/projects", query=query).json["items"]]


def test_a_project_is_seen_by_everybody_unless_it_says_otherwise(ada: Colleague, bob: Colleague) -> None:
    project = ada.made("/projects", {"name": "Open"})
    assert ada.call("GET", f"/projects/{project}").json["visibility"] == "tenant"
    assert bob.sees(project)


def test_a_private_project_is_seen_by_who_made_it_and_by_who_sees_all(
    work: Workspace, ada: Colleague, bob: Colleague
) -> None:
    project = ada.private_project()
    assert ada.call("GET", f"/projects/{project}").json["visibility"] == "private"
    assert not bob.sees(project)
    assert not colleague(work.stack, work.tenant, Role.VIEWER).sees(project)
    for role in (Role.OWNER, Role.ADMIN):
        assert colleague(work.stack, work.tenant, role).sees(project)


def test_a_key_sees_private_projects_by_its_scope_or_its_membership(work: Workspace, ada: Colleague) -> None:
    project, account = ada.private_project(), new_id("svc")
    assert not machine(work.stack, work.tenant, account, MEMBER).sees(project)
    assert machine(work.stack, work.tenant, account, MEMBER | {Permission.PROJECTS_ALL}).sees(project)
    own = machine(work.stack, work.tenant, account, MEMBER)
    assert own.sees(own.private_project())


def test_a_member_is_let_in_and_taken_out_with_effect_from_the_next_call(ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    added = ada.lets_in(project, bob)
    assert (added.status, added.json["actor_id"], added.json["added_by"]) == (200, bob.id, ada.id)
    assert bob.sees(project)
    assert listed(bob) == [project]
    assert ada.takes_out(project, bob).status == 204
    assert not bob.sees(project)
    assert listed(bob) == []


def test_members_are_shown_page_by_page_and_one_by_one(work: Workspace, ada: Colleague) -> None:
    project = ada.private_project()
    others = [colleague(work.stack, work.tenant) for _ in range(4)]
    for other in others:
        ada.lets_in(project, other)
    path, found, query = f"/projects/{project}/members", list[str](), {"limit": "2"}
    while query:
        page = ada.call("GET", path, query=query).json
        found += [member["actor_id"] for member in page["items"]]
        query = {**query, "cursor": page["next_cursor"]} if page["next_cursor"] else {}
    assert found == sorted([ada.id, *(other.id for other in others)])
    assert ada.call("GET", f"{path}/{others[0].id}").json["actor_id"] == others[0].id
    assert ada.call("GET", f"{path}/{new_id('usr')}").json["code"] == "project_member_not_found"


def test_who_is_a_member_stays_as_it_is_when_it_is_let_in_again(ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    first = ada.lets_in(project, bob).json
    assert bob.lets_in(project, bob).json == first


@pytest.mark.parametrize(
    "actor", ["usr_01k9zq3v7m8x2c4b6n0d1f5g7h", "nobody", "key_01k9zq3v7m8x2c4b6n0d1f5g7h", "x" * 99]
)
def test_nobody_of_elsewhere_is_let_in(ada: Colleague, actor: str) -> None:
    answer = ada.call("PUT", f"/projects/{ada.private_project()}/members/{actor}")
    assert (answer.status, answer.json["code"]) == (404, "actor_not_found")
    assert answer.json["errors"][0]["field"] == "path.actor_id"


def test_somebody_of_another_tenant_is_not_let_in(stack: Stack, ada: Colleague) -> None:
    stranger = colleague(stack, stack.tenant("Other"))
    assert ada.lets_in(ada.private_project(), stranger).status == 404


def test_an_api_key_of_the_tenant_is_let_in(work: Workspace, ada: Colleague) -> None:
    key_id = new_id("key")
    place = keys.api_key(work.tenant, "9f86d0")
    item = {
        **place.as_dict(),
        "gsi1pk": keys.api_keys(work.tenant),
        "gsi1sk": key_id,
        "entity": "api_key",
        "id": key_id,
    }
    work.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
    project, key = ada.private_project(), machine(work.stack, work.tenant, key_id, MEMBER)
    assert ada.lets_in(project, key).status == 200
    assert key.sees(project)


def test_a_project_that_everybody_sees_has_no_members(ada: Colleague, bob: Colleague) -> None:
    project = ada.made("/projects", {"name": "Open"})
    answer = ada.lets_in(project, bob)
    assert (answer.status, answer.json["code"]) == (409, "project_not_private")
    assert ada.call("GET", f"/projects/{project}/members").json["items"] == []
    assert ada.takes_out(project, ada).status == 404


def test_who_makes_a_project_private_is_its_only_member(ada: Colleague, bob: Colleague) -> None:
    project = ada.made("/projects", {"name": "Open"})
    answer = bob.call("PATCH", f"/projects/{project}", {"version": 1, "visibility": "private"})
    assert (answer.status, answer.json["visibility"], answer.json["version"]) == (200, "private", 2)
    assert bob.sees(project)
    assert not ada.sees(project)


def test_no_membership_outlives_its_private_time(ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    ada.lets_in(project, bob)
    assert ada.call("PATCH", f"/projects/{project}", {"version": 1, "visibility": "tenant"}).status == 200
    assert bob.sees(project)
    assert ada.call("PATCH", f"/projects/{project}", {"version": 2, "visibility": "private"}).status == 200
    assert not bob.sees(project)


def test_a_row_that_was_left_behind_lets_nobody_in(work: Workspace, ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    ada.lets_in(project, bob)
    left = next(item for item in work.items() if item.get("actor_id") == bob.id and item["entity"] == "project_member")
    ada.call("PATCH", f"/projects/{project}", {"version": 1, "visibility": "tenant"})
    ada.call("PATCH", f"/projects/{project}", {"version": 2, "visibility": "private"})
    work.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(left))
    assert not bob.sees(project)
    assert [member["actor_id"] for member in ada.call("GET", f"/projects/{project}/members").json["items"]] == [ada.id]
    assert ada.lets_in(project, bob).status == 200
    assert bob.sees(project)


def test_an_old_version_changes_nobodys_sight(ada: Colleague, bob: Colleague) -> None:
    project = ada.made("/projects", {"name": "Open"})
    ada.call("PATCH", f"/projects/{project}", {"version": 1, "name": "Renamed"})
    answer = ada.call("PATCH", f"/projects/{project}", {"version": 1, "visibility": "private"})
    assert (answer.status, answer.json["current_version"]) == (409, 2)
    assert bob.sees(project)


def test_a_viewer_who_is_a_member_reads_and_lets_nobody_in(work: Workspace, ada: Colleague, bob: Colleague) -> None:
    viewer, project = colleague(work.stack, work.tenant, Role.VIEWER), ada.private_project()
    ada.lets_in(project, viewer)
    assert viewer.sees(project)
    assert viewer.call("GET", f"/projects/{project}/members").status == 200
    assert viewer.lets_in(project, bob).status == 403


def test_lists_are_filled_past_what_is_hidden(ada: Colleague, bob: Colleague) -> None:
    open_ones = []
    for _ in range(4):
        open_ones.append(ada.made("/projects", {"name": "Open"}))
        ada.private_project()
        ada.private_project()
    first = bob.call("GET", "/projects", query={"limit": 3}).json
    assert [project["id"] for project in first["items"]] == open_ones[:3]
    second = bob.call("GET", "/projects", query={"limit": 3, "cursor": first["next_cursor"]}).json
    assert ([project["id"] for project in second["items"]], second["next_cursor"]) == (open_ones[3:], None)


def test_a_listing_that_lags_behind_shows_nothing_of_a_project_that_became_private(
    work: Workspace, ada: Colleague, bob: Colleague
) -> None:
    project = ada.made("/projects", {"name": "Open"})
    ada.call("PATCH", f"/projects/{project}", {"version": 1, "visibility": "private"})
    client = work.stack.client("dynamodb")
    key = {name: {"S": value} for name, value in keys.project(work.tenant, project).as_dict().items()}
    # As the index of children may still say for a moment.
    client.update_item(
        TableName="almanac",
        Key=key,
        UpdateExpression="SET visibility = :tenant",
        ExpressionAttributeValues={":tenant": {"S": "tenant"}},
    )
    assert listed(bob) == []


def test_a_project_that_became_private_during_a_call_is_not_listed(
    monkeypatch: pytest.MonkeyPatch, ada: Colleague, bob: Colleague
) -> None:
    from almanac.visible import Sight

    made, read = list[str](), Sight.access

    async def early(sight: Sight) -> Any:
        found = await read(sight)
        if sight.principal is not None and sight.principal.actor_id == bob.id and not made:
            service = wiring.projects(ada.caller.principal)  # type: ignore[arg-type]
            created = await service.create("Late", "", "private", None, "request")  # type: ignore[arg-type]
            made.append(created.id)
        return found

    monkeypatch.setattr(Sight, "access", early)
    assert listed(bob) == []
    assert len(made) == 1


def test_what_is_in_a_hidden_project_answers_like_nothing(ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    checkpoint = ada.checkpoint(project)
    message = ada.message(checkpoint)
    repository = ada.call("POST", f"/projects/{project}/repositories", {"url": URL}).json["id"]
    mine = [project, checkpoint, message, repository]
    nothing = [new_id("prj"), new_id("chk"), new_id("msg"), new_id("rep")]
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/messages/{2}", None),
        ("PATCH", "/messages/{2}", {"version": 1, "content": "mine now"}),
        ("DELETE", "/messages/{2}", None),
        ("POST", "/messages", {"checkpoint_id": "{1}", "content": "elephants never forget"}),
        ("PATCH", "/checkpoints/{1}", {"version": 1, "name": "mine now"}),
        ("DELETE", "/checkpoints/{1}", None),
        ("POST", "/checkpoints", {"project_id": "{0}", "name": "mine"}),
        ("PATCH", "/projects/{0}", {"version": 7, "visibility": "tenant"}),
        ("PATCH", "/projects/{0}", {"version": 1, "visibility": "private"}),
        ("DELETE", "/projects/{0}", None),
        ("PUT", f"/projects/{{0}}/members/{bob.id}", None),
        ("POST", "/projects/{0}/repositories", {"url": URL}),
        ("DELETE", "/projects/{0}/repositories/{3}", None),
    ]
    for method, path, body in calls:
        filled = [
            {name: value.format(*ids) if isinstance(value, str) else value for name, value in (body or {}).items()}
            for ids in (mine, nothing)
        ]
        hidden = bob.call(method, path.format(*mine), filled[0] or None)
        absent = bob.call(method, path.format(*nothing), filled[1] or None)
        assert hidden.status == 404, (method, path, hidden.text)
        assert shown(hidden, *mine) == shown(absent, *nothing)
    assert ada.call("GET", f"/messages/{message}").json["content"] == "elephants never forget"
    assert ada.call("GET", f"/projects/{project}").json["version"] == 1


def test_somebody_elses_idempotency_key_tells_nothing(ada: Colleague, bob: Colleague) -> None:
    headers = {"idempotency-key": "deploy-1"}
    body = {"name": "Secret", "visibility": "private"}
    hers = ada.made("/projects", body, headers=headers)
    his = bob.made("/projects", body, headers=headers)
    assert hers != his
    assert bob.call("POST", "/projects", {"name": "Else"}, headers=headers).status == 422


def test_a_creation_is_not_repeated_to_whom_lost_sight_of_it(ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    ada.lets_in(project, bob)
    headers = {"idempotency-key": "deploy-1"}
    made: list[tuple[str, Any, str]] = [
        ("/checkpoints", {"project_id": project, "name": "Review"}, "project_not_found"),
        (f"/projects/{project}/repositories", {"url": URL}, "project_not_found"),
    ]
    checkpoint = bob.made(*made[0][:2], headers=headers)
    made.append(("/messages", {"checkpoint_id": checkpoint, "content": "hello"}, "checkpoint_not_found"))
    for path, body, _ in made[1:]:
        bob.made(path, body, headers=headers)
    ada.takes_out(project, bob)
    for path, body, code in made:
        answer = bob.call("POST", path, body, headers=headers)
        assert (answer.status, answer.json["code"]) == (404, code)


def test_a_private_project_is_not_made_again_for_whom_was_taken_out(ada: Colleague, bob: Colleague) -> None:
    headers, body = {"idempotency-key": "deploy-1"}, {"name": "Secret", "visibility": "private"}
    project = bob.made("/projects", body, headers=headers)
    assert bob.made("/projects", body, headers=headers) == project
    bob.lets_in(project, ada)
    ada.takes_out(project, bob)
    assert bob.call("POST", "/projects", body, headers=headers).status == 404


def test_a_deleted_project_leaves_no_members_and_stays_hidden(work: Workspace, ada: Colleague, bob: Colleague) -> None:
    project = ada.private_project()
    ada.lets_in(project, bob)
    assert ada.call("DELETE", f"/projects/{project}").status == 204
    work.settle()
    rows = [item for item in work.items() if item["pk"] == keys.private_projects(work.tenant)]
    # What says that it was private goes by itself, after every search that may have begun before.
    assert [(row["entity"], "expires_at" in row) for row in rows] == [("private_project", True)]


def test_many_flips_at_once_leave_item_and_rows_agreeing(work: Workspace, ada: Colleague) -> None:
    project = ada.made("/projects", {"name": "Open"})

    async def flip(visibility: str) -> Any:
        service = wiring.projects(ada.caller.principal)  # type: ignore[arg-type]
        return await service.update(project, 1, {"visibility": visibility})

    async def together() -> list[Any]:
        return await asyncio.gather(*(flip("private") for _ in range(5)), return_exceptions=True)

    from almanac import runtime

    outcomes = runtime.run(together())
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    client = work.stack.client("dynamodb")
    key = {name: {"S": value} for name, value in keys.private_project(work.tenant, project).as_dict().items()}
    row = plain(client.get_item(TableName="almanac", Key=key, ConsistentRead=True)["Item"])
    assert row["project_id"] == project
    assert ada.sees(project)
