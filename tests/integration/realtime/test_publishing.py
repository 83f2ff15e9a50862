"""What the product tells: syncs and messages, a handful of events for each, to who sees their project."""

from almanac.events import SyncRepository
from projects.news import is_told
from tests.integration.realtime.world import World


def test_a_message_is_told_to_the_projects_followers_when_it_is_searchable(world: World) -> None:
    call = world.stack.call
    body = {"project_id": world.project, "name": "Review"}
    checkpoint = call("projects", "POST", "/api/v1/checkpoints", body, tenant=world.tenant).json["id"]
    client = world.connect()
    client.subscribe(world.topic)
    body = {"checkpoint_id": checkpoint, "content": "We keep invoices for ten years."}
    message = call("projects", "POST", "/api/v1/messages", body, tenant=world.tenant).json["id"]

    world.stack.drain()

    client.hear()
    (told,) = client.events[world.topic]
    assert (told["type"], told["resource_id"]) == ("message.indexed", message)
    assert told["data"]["checkpoint_id"] == checkpoint
    assert call("projects", "GET", f"/api/v1/messages/{message}", tenant=world.tenant).json["indexed"]["state"] == (
        "indexed"
    )


def test_a_sync_that_fails_says_so_to_who_follows_the_repository(world: World) -> None:
    body = {"url": "http://127.0.0.1:9/nowhere.git"}
    path = f"/api/v1/projects/{world.project}/repositories"
    made = world.stack.call("projects", "POST", path, body, tenant=world.tenant)
    assert made.status in {201, 202}, made.text
    repository = made.json["id"]
    client = world.connect()
    client.subscribe(f"repository:{repository}")

    world.stack.drain()

    client.hear()
    *_, last = client.events[f"repository:{repository}"]
    assert last["type"] == "repository.changed"
    assert last["data"]["state"] == "failed"
    assert last["data"]["error"]["code"] == "host_unreachable"
    assert SyncRepository.model_fields["kind"].default == "repository.sync"


def test_the_progress_of_a_run_is_told_a_few_times_however_many_batches_it_has() -> None:
    assert [batch for batch in range(40) if is_told(batch)] == [1, 2, 4, 8, 16, 32]
    assert sum(map(is_told, range(100_000))) == 17


def test_a_repository_that_is_deleted_says_so_to_who_follows_it(world: World) -> None:
    body = {"url": "http://127.0.0.1:9/nowhere.git"}
    path = f"/api/v1/projects/{world.project}/repositories"
    repository = world.stack.call("projects", "POST", path, body, tenant=world.tenant).json["id"]
    topic = f"repository:{repository}"
    client = world.connect()
    client.subscribe(topic)

    assert world.stack.call("projects", "DELETE", f"{path}/{repository}", tenant=world.tenant).status in {202, 204}
    world.stack.drain()

    client.hear()
    last = client.events[topic][-1]
    assert (last["type"], last["data"]["state"]) == ("repository.deleted", "deleted")
    client.subscribe(topic)
    assert client.hear()[-1]["code"] == "topic_not_found"
