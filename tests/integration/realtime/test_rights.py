"""Whoever may read something may follow it, for as long as it may: to others there is no such topic."""

from collections.abc import Callable, Iterator

import pytest

from almanac.access import Caller, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from realtime import standing
from tests.integration.realtime.world import World, no_document


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(standing, "REMEMBERED_SECONDS", 0)
    yield


def leave(world: World, caller: Caller) -> None:
    assert caller.person is not None
    key = keys.member(world.tenant, caller.person.id)
    world.stack.client("dynamodb").delete_item(TableName="almanac", Key=dynamo(key.as_dict()))


def write(world: World, topic: str, key: keys.Key, **changes: object) -> str:
    """Write an item of the world's project as far as a topic is judged by it; returns the topic."""
    item = {**key.as_dict(), "id": topic.partition(":")[2], "project_id": world.project, "state": "active"}
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo({**item, **changes}))
    return topic


def document(world: World, **changes: object) -> str:
    name = new_id("doc")
    return write(world, f"document:{name}", keys.document(world.tenant, name), **changes)


def collection(world: World, **changes: object) -> str:
    name = new_id("col")
    return write(world, f"collection:{name}", keys.collection(world.tenant, name), **changes)


def repository(world: World, **changes: object) -> str:
    name = new_id("rep")
    return write(world, f"repository:{name}", keys.repository(world.tenant, name), **changes)


@pytest.mark.parametrize("topic", ["", "project", "project:", "project:prj_1", "member:usr_1", "Project:x", "a:b:c"])
def test_what_is_no_topic_is_answered_like_one_of_nothing(world: World, topic: str) -> None:
    client = world.connect()
    client.subscribe(topic)
    assert client.hear()[-1]["code"] == "topic_not_found"


def test_what_one_does_not_see_is_answered_like_what_does_not_exist(world: World) -> None:
    topics = (document(world), collection(world), repository(world))
    outsider = world.member()
    world.make_private()
    client = world.connect(outsider)

    answers = []
    for each in (*topics, world.topic, no_document(), f"project:{new_id('prj')}"):
        client.subscribe(each)
        (frame,) = client.hear()
        polled = world.poll(each, caller=outsider)
        assert polled.status == 404
        answers.append((frame | {"topic": ""}, {**polled.json, "correlation_id": ""}))
    assert all(answer == answers[0] for answer in answers)


def test_another_tenants_topic_is_answered_like_what_does_not_exist(world: World) -> None:
    other = world.stack.tenant()
    project = world.stack.call("projects", "POST", "/api/v1/projects", {"name": "Theirs"}, tenant=other).json["id"]
    client = world.connect()
    client.subscribe(f"project:{project}")
    assert client.hear()[-1]["code"] == "topic_not_found"


@pytest.mark.parametrize("make", [document, collection, repository])
def test_whatever_one_sees_can_be_followed_until_it_is_being_deleted(world: World, make: Callable[..., str]) -> None:
    client = world.connect()
    client.subscribe(make(world))
    assert client.hear()[-1]["type"] == "subscribed"
    client.subscribe(make(world, state="deleting"))
    assert client.hear()[-1]["code"] == "topic_not_found"


def test_a_document_in_a_private_collection_cannot_be_followed_by_who_is_not_in_it(world: World) -> None:
    private = collection(world, visibility="private")
    client = world.connect()
    for topic in (private, document(world, collection_id=private.partition(":")[2])):
        client.subscribe(topic)
        assert client.hear()[-1]["code"] == "topic_not_found"


def test_a_member_who_was_removed_is_told_nothing_more_and_is_cut_off(world: World) -> None:
    leaving = world.member()
    client, other = world.connect(leaving), world.connect()
    for each in (client, other):
        each.subscribe(world.topic)
    leave(world, leaving)

    world.tell(world.happened())

    assert client.sequences(world.topic) == []
    assert client.is_closed
    assert other.sequences(world.topic) == [1]


def test_a_member_who_was_removed_and_says_something_is_cut_off(world: World) -> None:
    leaving = world.member()
    client = world.connect(leaving)
    leave(world, leaving)
    client.say(action="ping")
    assert client.is_closed
    assert client.hear() == []


def test_who_may_not_read_any_more_is_told_nothing_more(world: World) -> None:
    member = world.member()
    client = world.connect(member)
    client.subscribe(world.topic)
    assert member.person is not None
    world.stack.member(world.tenant, Role.AUDITOR, member.person.id)
    world.tell(world.happened())
    assert client.sequences(world.topic) == []
    assert client.is_closed


def test_a_project_that_becomes_private_is_told_to_its_members_alone(world: World) -> None:
    insider, outsider = world.member(), world.member()
    inside, outside = world.connect(insider), world.connect(outsider)
    for client in (inside, outside):
        client.subscribe(world.topic)
    world.make_private(insider)

    world.tell(world.happened(owners=(world.project,)))

    assert inside.sequences(world.topic) == [1]
    assert outside.sequences(world.topic) == []


def test_what_became_hidden_is_not_told_again_either(world: World) -> None:
    reader = world.member()
    hidden = new_id("col")
    world.tell(world.happened(owners=(world.project,)), world.happened(owners=(world.project, hidden)))
    row = {
        **keys.private_project(world.tenant, hidden).as_dict(),
        "entity": "private_collection",
        "collection_id": hidden,
        "project_id": hidden,
        "epoch": "1",
    }
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(row))

    client = world.connect(reader)
    client.subscribe(world.topic, resume_from=0)

    assert client.sequences(world.topic) == [1]
    page = world.poll(world.topic, caller=reader).json
    assert [each["sequence"] for each in page["items"]] == [1]
    assert page["after"] == 2


def test_a_projects_feed_does_not_count_what_happens_in_a_private_collection(world: World) -> None:
    hidden = new_id("col")
    row = {
        **keys.private_project(world.tenant, hidden).as_dict(),
        "entity": "private_collection",
        "collection_id": hidden,
        "project_id": hidden,
        "epoch": "1",
    }
    world.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(row))
    client = world.connect()
    client.subscribe(world.topic)

    world.tell(
        world.happened(owners=(world.project,)),
        world.happened(owners=(world.project, hidden)),
        world.happened(owners=(world.project,)),
    )

    # Without a gap in the numbers that would tell of it.
    assert client.sequences(world.topic) == [1, 2]


def test_a_key_follows_until_it_is_deleted(world: World) -> None:
    owner = world.member(Role.OWNER)
    body = {"name": "Watcher", "scopes": ["content:read"]}
    made = world.stack.call("identity", "POST", "/api/v1/api-keys", body, caller=owner)
    assert made.status == 201, made.text
    from almanac.access import Permission, Principal

    key_id = made.json["id"]
    principal = Principal(world.tenant, key_id, frozenset({Permission.CONTENT_READ}), key_id=key_id)
    client = world.connect(Caller(principal=principal))
    client.subscribe(world.topic)
    world.tell(world.happened())
    assert client.sequences(world.topic) == [1]

    assert world.stack.call("identity", "DELETE", f"/api/v1/api-keys/{key_id}", caller=owner).status == 204
    world.tell(world.happened())

    assert client.sequences(world.topic) == [1]
    assert client.is_closed


def test_a_member_who_is_removed_is_cut_off_without_waiting_for_an_event(world: World) -> None:
    leaving, owner = world.member(), world.member(Role.OWNER)
    client, other = world.connect(leaving), world.connect()
    unused = world.ticket(leaving)
    assert leaving.person is not None

    path = f"/api/v1/members/{leaving.person.id}"
    assert world.stack.call("identity", "DELETE", path, caller=owner).status == 204
    world.stack.drain()

    assert client.is_closed
    assert not other.is_closed
    assert world.open(unused)[0] == 401
