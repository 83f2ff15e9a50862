"""Who loses a right while connected hears nothing from that moment on, though callers are remembered between events."""

import json

import pytest

from almanac.access import Caller, Permission, Principal, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from realtime import standing
from tests.integration.realtime.world import Client, World


@pytest.fixture(autouse=True)
def _callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "REMEMBERED_SECONDS", 3600)


def following(world: World, caller: Caller) -> Client:
    """Return a client that follows the project, and whose caller is remembered by the time it heard an event."""
    client = world.connect(caller)
    client.subscribe(world.topic)
    world.tell(world.happened(owners=(world.project,)))
    assert len(client.sequences(world.topic)) == 1
    return client


def test_what_happens_in_a_project_that_became_private_is_not_told_to_who_was_remembered(world: World) -> None:
    insider, outsider = world.member(), world.member()
    outside = following(world, outsider)
    inside = world.connect(insider)
    inside.subscribe(world.topic)
    world.make_private(insider)

    world.tell(world.happened(owners=(world.project,)))

    assert inside.sequences(world.topic) == [2]
    assert outside.sequences(world.topic) == [1]


def test_who_is_taken_out_of_a_private_project_hears_nothing_more_of_it(world: World) -> None:
    member = world.member()
    world.make_private(member)
    client = following(world, member)
    assert member.principal is not None
    path = f"/api/v1/projects/{world.project}/members/{member.principal.actor_id}"
    assert world.stack.call("projects", "DELETE", path, tenant=world.tenant).status == 204

    world.tell(world.happened(owners=(world.project,)))

    assert client.sequences(world.topic) == [1]


def test_a_ping_tells_which_topics_are_not_there_for_the_caller_any_more(world: World) -> None:
    client = following(world, world.member())
    world.make_private()
    client.hear()

    client.say(action="ping")
    pong, lost = client.hear()
    assert pong == {"type": "pong"}
    assert (lost["type"], lost["code"], lost["topic"]) == ("error", "topic_not_found", world.topic)
    client.say(action="ping")
    assert client.hear() == [{"type": "pong"}]


def test_a_key_that_is_deleted_ends_its_connections_at_once(world: World) -> None:
    owner = world.member(Role.OWNER)
    body = {"name": "Watcher", "scopes": ["content:read"]}
    key_id = world.stack.call("identity", "POST", "/api/v1/api-keys", body, caller=owner).json["id"]
    principal = Principal(world.tenant, key_id, frozenset({Permission.CONTENT_READ}), key_id=key_id)
    client = following(world, Caller(principal=principal))

    assert world.stack.call("identity", "DELETE", f"/api/v1/api-keys/{key_id}", caller=owner).status == 204
    world.stack.drain()

    assert client.is_closed


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_a_service_account_that_ends_takes_its_connections_with_it(world: World, how: str) -> None:
    owner = world.member(Role.OWNER)
    account = world.stack.call("identity", "POST", "/api/v1/service-accounts", {"name": "CI"}, caller=owner).json
    path = f"/api/v1/service-accounts/{account['id']}"
    body = {"name": "Watcher", "scopes": ["content:read"], "service_account_id": account["id"]}
    made = world.stack.call("identity", "POST", "/api/v1/api-keys", body, caller=owner)
    assert made.status == 201, made.text
    scopes = frozenset({Permission.CONTENT_READ})
    principal = Principal(world.tenant, account["id"], scopes, key_id=made.json["id"])
    client = following(world, Caller(principal=principal))

    version = world.stack.call("identity", "GET", path, caller=owner).json["version"]
    if how == "disable":
        ended = world.stack.call("identity", "PATCH", path, {"version": version, "disabled": True}, caller=owner)
    else:
        ended = world.stack.call("identity", "DELETE", path, caller=owner)
    assert ended.status in {200, 204}, ended.text
    world.stack.drain()

    assert client.is_closed


def test_a_member_whose_new_role_may_not_read_is_cut_off_at_once(world: World) -> None:
    member, owner = world.member(), world.member(Role.OWNER)
    client = following(world, member)
    assert member.person is not None
    path = f"/api/v1/members/{member.person.id}"
    members = world.stack.call("identity", "GET", "/api/v1/members", caller=owner).json["items"]
    (seen,) = [each for each in members if each["person_id"] == member.person.id]
    body = {"role": "auditor", "version": seen["version"]}
    changed = world.stack.call("identity", "PATCH", path, body, caller=owner)
    assert changed.status == 200, changed.text
    world.stack.drain()

    assert client.is_closed


def put_document(world: World, name: str, **place: str) -> None:
    key = keys.document(world.tenant, name)
    item = {**key.as_dict(), "id": name, "state": "ready", **place}
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def test_what_was_told_of_a_document_before_it_was_moved_out_of_sight_is_not_told_again(world: World) -> None:
    moved, stays = new_id("doc"), new_id("doc")
    for version, name in enumerate((moved, stays), 1):
        put_document(world, name, project_id=world.project)
        world.tell(world.happened(resource=name, version=version, owners=(world.project,), title="Layoffs"))
    private = new_id("col")
    row = {**keys.private_project(world.tenant, private).as_dict(), "entity": "private_collection"}
    row |= {"collection_id": private, "epoch": "1"}
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(row))
    put_document(world, moved, project_id=world.project, collection_id=private)

    outsider, owner = world.member(), world.member(Role.OWNER)
    client = world.connect(outsider)
    client.subscribe(world.topic, resume_from=0)
    assert client.sequences(world.topic) == [2]
    assert [each["sequence"] for each in world.poll(world.topic, caller=outsider).json["items"]] == [2]
    assert [each["sequence"] for each in world.poll(world.topic, caller=owner).json["items"]] == [1, 2]


def test_nothing_that_a_deleted_thing_was_called_is_told_again_or_kept(world: World) -> None:
    gone, stays = new_id("doc"), new_id("doc")
    world.tell(
        world.happened(resource=gone, version=1, title="Layoffs"),
        world.happened(resource=stays, version=1, title="Plan"),
        world.happened(resource=gone, version=2, title="Layoffs, final"),
    )
    end = world.happened(resource=gone, version=3).model_copy(update={"type": "document.deleted"})
    world.tell(end)

    told = world.poll(world.topic).json["items"]
    assert [each["sequence"] for each in told] == [1, 2, 3, 4]
    left_out = {"left_out": "deleted"}
    assert [each["data"] for each in told] == [left_out, {"title": "Plan"}, left_out, {}]
    items = world.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert "Layoffs" not in json.dumps([item for item in items if world.topic in item["pk"]["S"]], default=str)


def test_who_signed_out_is_cut_off_and_opens_nothing_more_with_a_ticket_from_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = world.member()
    assert caller.person is not None
    client, unused = following(world, caller), world.ticket(caller)
    key = keys.person_session(caller.person.id, caller.person.session_id)
    row = {**key.as_dict(), "entity": "session", "ended_at": "2026-01-01T00:00:00.000Z"}
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(row))
    monkeypatch.setattr(standing, "REMEMBERED_SECONDS", 0)
    client.say(action="ping")

    assert client.is_closed
    assert world.open(unused)[0] == 401
