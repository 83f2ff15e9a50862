"""What the index awaits of messages: enough to find them by their words before they are embedded, and no more."""

import asyncio
from typing import Any

import pytest

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.events import MessageOrigin, SourcesFailed, SourcesIndexed
from almanac.index.manifest import Awaited, Manifest
from almanac.index.sources import Source, SourceBatch
from projects import wiring
from projects.batches import put_batch
from projects.services.messages import MessageService
from tests.integration.projects.test_deletes import full_project
from tests.integration.projects.workspace import Workspace

LARGE = "Whales sing.\n" * 40_000


def awaiting(work: Workspace) -> dict[str, Awaited]:
    return runtime.run(Manifest(Table("almanac", runtime.clients()), work.tenant).read()).awaiting


def awaited_source(work: Workspace, message: str) -> Source | None:
    """Return what a reader finds at the object of an awaited message."""
    entry = awaiting(work)[message]
    body = runtime.run(Blobs("almanac", runtime.clients()).get(entry.batch_key))
    if body is None:
        return None
    (source,) = SourceBatch.decode(body).sources
    assert (source.source_id, source.version, source.container_id) == (
        entry.source_id,
        entry.version,
        entry.container_id,
    )
    return source


def tags(work: Workspace) -> list[list[dict[str, str]]]:
    s3 = work.stack.client("s3")
    return [s3.get_object_tagging(Bucket="almanac", Key=key)["TagSet"] for key in work.objects()]


def failed(work: Workspace, message: str, version: int = 1) -> SourcesFailed:
    origin = MessageOrigin(message_id=message, version=version)
    return SourcesFailed(tenant_id=work.tenant, correlation_id="c", origin=origin, code="model_refused", cause="odd")


def indexed(work: Workspace, message: str, version: int = 1) -> SourcesIndexed:
    origin = MessageOrigin(message_id=message, version=version)
    return SourcesIndexed(tenant_id=work.tenant, correlation_id="c", origin=origin, chunks=1, embedded=1)


@pytest.mark.parametrize("content", ["elephants never forget", LARGE])
def test_a_message_is_awaited_from_its_201_until_it_is_indexed(work: Workspace, content: str) -> None:
    message = work.message(work.checkpoint(), content)
    source = awaited_source(work, message)
    assert source is not None
    assert source.text == content
    work.settle()
    assert work.awaited() == {}
    assert work.call("GET", f"/messages/{message}").json["indexed"]["state"] == "indexed"


def test_an_update_is_awaited_in_the_place_of_the_version_before(work: Workspace) -> None:
    message = work.message(work.checkpoint(), "elephants never forget")
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "giraffes sleep standing"})
    source = awaited_source(work, message)
    assert source is not None
    assert (source.text, source.version) == ("giraffes sleep standing", 2)
    work.work(indexed(work, message))
    assert work.awaited() == {message: 2}
    assert awaited_source(work, message) is not None
    work.settle()
    assert work.awaited() == {}


def test_what_the_index_says_twice_or_late_takes_back_only_what_it_speaks_of(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    for _ in range(2):
        assert work.work(indexed(work, message)) == {"batchItemFailures": []}
    assert work.awaited() == {}
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    work.work(indexed(work, message))
    assert work.awaited() == {message: 2}


def test_a_message_that_failed_stays_awaited_and_its_object_lasts(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    assert tags(work) == [[{"Key": "lifetime", "Value": "transient"}]]
    before = awaited_source(work, message)
    for _ in range(2):
        assert work.work(failed(work, message)) == {"batchItemFailures": []}
    assert work.awaited() == {message: 1}
    assert awaited_source(work, message) == before
    assert tags(work) == [[]]


def test_a_message_that_failed_is_awaited_again_when_its_object_had_gone(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    (key,) = work.objects()
    work.stack.client("s3").delete_object(Bucket="almanac", Key=key)
    assert awaited_source(work, message) is None
    work.work(failed(work, message))
    assert awaited_source(work, message) is not None


def test_a_message_that_failed_is_awaited_no_more_once_it_is_indexed_or_deleted(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    first, second = work.message(checkpoint, "first"), work.message(checkpoint, "second")
    for message in (first, second):
        work.work(failed(work, message))
    work.work(indexed(work, first))
    assert work.awaited() == {second: 1}
    work.call("DELETE", f"/messages/{second}")
    assert work.awaited() == {}


def test_a_failure_told_late_is_of_a_version_that_leaves_nothing_behind(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message, gone = work.message(checkpoint, "first"), work.message(checkpoint, "gone")
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    work.call("DELETE", f"/messages/{gone}")
    for late in (message, gone):
        assert work.work(failed(work, late)) == {"batchItemFailures": []}
    assert work.awaited() == {message: 2}
    (left,) = work.objects()
    assert "/000002-" in left


def test_a_message_deleted_while_its_failure_is_told_leaves_nothing_behind(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = work.message(work.checkpoint())
    service = MessageService(wiring.dependencies(), work.principal)

    async def deleted_meanwhile(*arguments: Any, **named: Any) -> None:
        await service.delete(message)
        await put_batch(*arguments, **named)

    monkeypatch.setattr("projects.services.indexing.put_batch", deleted_meanwhile)
    assert work.work(failed(work, message)) == {"batchItemFailures": []}
    work.settle()
    assert (work.awaited(), work.objects()) == ({}, [])


def test_a_failure_told_late_does_not_await_what_is_indexed(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.work(indexed(work, message))
    work.work(failed(work, message))
    assert work.awaited() == {}


def test_a_refused_message_is_not_awaited(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint, "first")
    other = work.message(checkpoint, "second")
    work.settle()
    assert work.call("POST", "/messages", {"checkpoint_id": checkpoint, "content": "first"}).status == 200
    assert work.call("PATCH", f"/messages/{other}", {"version": 1, "content": "first"}).status == 409
    assert work.call("PATCH", f"/messages/{message}", {"version": 7, "content": "x"}).status == 409
    assert work.awaited() == {}


def test_two_updates_at_once_await_the_one_that_won(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    service = MessageService(wiring.dependencies(), work.principal)

    async def together() -> None:
        calls = (service.update(message, 1, {"content": content}) for content in ("one", "two", "three"))
        await asyncio.gather(*calls, return_exceptions=True)

    runtime.run(together())
    source = awaited_source(work, message)
    assert source is not None
    assert source.text == work.call("GET", f"/messages/{message}").json["content"]


def test_a_deleted_message_is_awaited_no_more_in_the_same_step(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    assert work.awaited() == {message: 1}
    work.call("DELETE", f"/messages/{message}")
    assert work.awaited() == {}


@pytest.mark.parametrize("whole", ["checkpoints", "projects"])
def test_a_deleted_checkpoint_or_project_takes_back_what_was_awaited_of_it(work: Workspace, whole: str) -> None:
    ids = full_project(work)
    assert len(work.awaited()) == 3
    work.stack.discard_messages()
    work.call("DELETE", f"/{whole}/{ids[whole.removesuffix('s')]}")
    for _ in range(4):
        work.stack.relay()
        work.stack.deliver("Projects")
    assert len(work.awaited()) == (1 if whole == "checkpoints" else 0)


def test_a_version_carries_the_time_when_it_was_acknowledged(work: Workspace) -> None:
    message = work.message(work.checkpoint(), occurred_at="2020-01-01T00:00:00Z")
    for number in (1, 2):
        shown = work.call("GET", f"/messages/{message}").json
        source = awaited_source(work, message)
        assert source is not None
        assert source.written_at is not None
        assert source.written_at.isoformat(timespec="milliseconds").replace("+00:00", "Z") == shown["updated_at"]
        if number == 1:
            assert shown["updated_at"] == shown["created_at"]
            work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})


def test_the_very_next_search_finds_a_message_by_its_words(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint, "elephants never forget")
    assert work.found("elephants") == [message]
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "giraffes sleep standing"})
    assert (work.found("giraffes"), work.found("elephants")) == ([message], [])
    work.work(failed(work, message, version=2))
    assert work.found("giraffes") == [message]
    work.call("DELETE", f"/messages/{message}")
    assert work.found("giraffes") == []


def test_a_message_whose_object_a_reader_misses_is_only_not_found_yet(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message, other = work.message(checkpoint, "elephants never forget"), work.message(checkpoint, "elephants swim")
    key = awaiting(work)[message].batch_key
    work.stack.client("s3").delete_object(Bucket="almanac", Key=key)
    assert work.found("elephants") == [other]
