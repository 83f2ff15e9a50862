"""Sources are sent to the index once more: one message's, or all that a tenant has."""

import asyncio
from contextvars import Context
from typing import Any

import pytest

from almanac.events import MessageOrigin, ResendSources, SourcesFailed, SourcesIndexed
from almanac.ids import new_id
from projects import wiring
from projects.batches import put_batch
from projects.services.messages import MessageService
from projects.services.resending import _PAGE
from tests.integration.projects.workspace import Workspace

LARGE = "Whales sing.\n" * 40_000


def resend(work: Workspace, **what: Any) -> None:
    event = ResendSources(tenant_id=work.tenant, correlation_id="c", **what)
    assert work.work(event) == {"batchItemFailures": []}


def stored(work: Workspace) -> dict[str, bytes]:
    s3 = work.stack.client("s3")
    return {key: s3.get_object(Bucket="almanac", Key=key)["Body"].read() for key in work.objects()}


def forget_objects(work: Workspace) -> None:
    for key in work.objects():
        work.stack.client("s3").delete_object(Bucket="almanac", Key=key)


def sent(work: Workspace) -> list[str]:
    """Return the messages whose indexing waits in the outbox."""
    events = [event for event in work.outbox() if event["kind"] == "sources.index"]
    return sorted(event["origin"]["message_id"] for event in events)


def indexed(work: Workspace, message: str) -> Any:
    return work.call("GET", f"/messages/{message}").json["indexed"]["state"]


@pytest.mark.parametrize("content", ["elephants never forget", LARGE])
def test_a_message_is_sent_again_with_the_same_bytes(work: Workspace, content: str) -> None:
    message = work.message(work.checkpoint(), content)
    before = stored(work)
    work.settle()
    if content != LARGE:
        forget_objects(work)
    resend(work, message_id=message)
    assert (stored(work), sent(work), work.awaited()) == (before, [message], {message: 1})
    assert indexed(work, message) == "pending"
    work.settle()
    assert (indexed(work, message), work.awaited()) == ("indexed", {})


def test_the_current_version_is_sent_again(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.settle()
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    work.settle()
    forget_objects(work)
    resend(work, message_id=message)
    (key,) = work.objects()
    assert "/000002-" in key
    assert work.awaited() == {message: 2}


def test_nothing_is_sent_of_a_message_that_is_gone(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.call("DELETE", f"/messages/{message}")
    work.settle()
    for gone in (message, new_id("msg")):
        resend(work, message_id=gone)
    assert (work.events(), work.objects(), work.awaited()) == ([], [], {})


@pytest.mark.parametrize("change", ["update", "delete"])
def test_a_message_that_changes_while_it_is_sent_leaves_nothing_of_its_old_version(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    message = work.message(work.checkpoint())
    work.settle()
    service = MessageService(wiring.dependencies(), work.principal)
    changed: list[str] = []

    async def meanwhile(*arguments: Any, **named: Any) -> None:
        if not changed:
            changed.append(change)
            call = service.delete(message) if change == "delete" else service.update(message, 1, {"content": "second"})
            # In a context of its own: this is no call of the worker's.
            await asyncio.create_task(call, context=Context())
        await put_batch(*arguments, **named)

    monkeypatch.setattr("projects.services.resending.put_batch", meanwhile)
    resend(work, message_id=message)
    work.settle()
    assert work.awaited() == {}
    assert ["/000002-" in key for key in work.objects()] == ([True] if change == "update" else [])


def test_a_message_that_failed_is_tried_again(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.stack.discard_messages()
    origin = MessageOrigin(message_id=message, version=1)
    common: dict[str, Any] = {"tenant_id": work.tenant, "correlation_id": "c", "origin": origin}
    work.work(SourcesFailed(**common, code="model_refused", cause="odd"))
    resend(work, message_id=message)
    assert (indexed(work, message), work.awaited()) == ("pending", {message: 1})
    work.work(SourcesIndexed(**common, chunks=1, embedded=1))
    assert (indexed(work, message), work.awaited()) == ("indexed", {})


def test_a_message_that_fails_when_it_is_sent_again_says_so_and_is_found_by_its_words(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.settle()
    resend(work)
    assert work.awaited() == {}
    origin = MessageOrigin(message_id=message, version=1)
    work.work(SourcesFailed(tenant_id=work.tenant, correlation_id="c", origin=origin, code="odd", cause="odd"))
    assert (indexed(work, message), work.awaited()) == ("failed", {message: 1})


def full_tenant(work: Workspace) -> tuple[list[str], list[str]]:
    """Make two projects with two checkpoints and a repository each; returns messages and repositories."""
    messages, repositories = [], []
    for name in ("one", "two"):
        project = work.project(name)
        for place in ("here", "there"):
            checkpoint = work.checkpoint(project)
            messages += [work.message(checkpoint, f"elephants {name} {place} {number}") for number in range(3)]
        repositories.append(work.repository(project)["id"])
    work.stack.discard_messages()
    return sorted(messages), sorted(repositories)


def rebuilds(work: Workspace) -> list[str]:
    events = [event for event in work.outbox() if event["kind"] == "repository.sync"]
    assert all(event["reason"] == "rebuild" for event in events)
    return sorted(event["repository_id"] for event in events)


def test_all_that_a_tenant_has_is_sent_again_and_nothing_of_another(work: Workspace, other: Workspace) -> None:
    messages, repositories = full_tenant(work)
    full_tenant(other)
    resend(work)
    assert (sent(work), rebuilds(work)) == (messages, repositories)
    assert other.outbox() == []
    assert len(work.items()) == len({(item["pk"], item["sk"]) for item in work.items()})


def test_what_is_deleted_is_not_sent_again(work: Workspace) -> None:
    messages, _ = full_tenant(work)
    gone = work.call("GET", f"/messages/{messages[0]}").json
    kept = [one for one in messages if work.call("GET", f"/messages/{one}").json["project_id"] != gone["project_id"]]
    work.call("DELETE", f"/projects/{gone['project_id']}")
    resend(work)
    assert sent(work) == sorted(kept)


def test_sending_all_goes_on_in_other_messages_and_misses_nothing(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, repositories = full_tenant(work)
    monkeypatch.setattr("projects.services.resending._PAGE", 2)
    steps = 0

    def remaining(deadline: Any) -> float:
        nonlocal steps
        steps += 1
        return 60 if steps % 3 else 0

    cursors: list[str | None] = [None]
    with monkeypatch.context() as patch:
        patch.setattr("almanac.worker.batch.Deadline.remaining", remaining)
        while cursors[-1] is not None or len(cursors) == 1:
            resend(work, cursor=cursors[-1])
            going = [event["cursor"] for event in work.outbox() if event["kind"] == "sources.resend"]
            new = [cursor for cursor in going if cursor not in cursors]
            cursors.append(new[0] if new else None)
    assert len(cursors) > 5
    assert (sorted(set(sent(work))), sorted(set(rebuilds(work)))) == (messages, repositories)
    assert len(sent(work)) == len(messages)


def test_a_checkpoint_of_many_messages_is_sent_page_by_page(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    messages = sorted(work.message(checkpoint, f"number {number}") for number in range(_PAGE + 3))
    work.stack.discard_messages()
    resend(work)
    assert sent(work) == messages


def test_a_tenant_without_projects_is_done_at_once_and_its_documents_are_asked_for(work: Workspace) -> None:
    resend(work)
    assert work.events() == ["documents.resend"]
