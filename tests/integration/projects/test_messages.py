"""Messages over HTTP, and their way into the index."""

import asyncio
import hashlib
from typing import Any

import pytest

from almanac import runtime
from almanac.events import MessageOrigin, SourcesFailed, SourcesIndexed
from almanac.ids import new_id
from projects import wiring
from projects.services.messages import INLINE_BYTES, MessageService
from tests.integration.projects.workspace import Workspace

LARGE = "Whales sing.\n" * 40_000


def test_a_message_is_created_found_and_shown(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    body = {
        "checkpoint_id": checkpoint,
        "content": "Elephants never forget.",
        "author": "Ann Lee",
        "metadata": {"channel": "zoo"},
        "occurred_at": "2026-01-31T13:00:00+01:00",
    }
    answer = work.call("POST", "/messages", body)
    assert (answer.status, answer.json["status"]) == (201, "created")
    message = answer.json["id"]
    assert answer.headers["location"] == f"/api/v1/messages/{message}"
    shown = work.call("GET", f"/messages/{message}").json
    assert shown["indexed"]["state"] == "pending"
    assert shown["occurred_at"] == "2026-01-31T12:00:00.000Z"
    assert {**body, "occurred_at": shown["occurred_at"]}.items() <= shown.items()
    work.settle()
    indexed = work.call("GET", f"/messages/{message}").json["indexed"]
    assert (indexed["state"], indexed["chunks"]) == ("indexed", 1)
    assert work.found("elephants", author="Ann Lee") == [message]


def test_the_same_content_in_one_checkpoint_is_recognised(work: Workspace) -> None:
    project = work.project()
    checkpoint = work.checkpoint(project)
    message = work.message(checkpoint)
    objects = work.objects()
    answer = work.call("POST", "/messages", {"checkpoint_id": checkpoint, "content": "elephants never forget"})
    assert (answer.status, answer.json) == (200, {"id": message, "status": "duplicate"})
    assert work.objects() == objects
    assert work.message(work.checkpoint(project)) != message


def test_content_of_a_deleted_message_is_new_again(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint)
    assert work.call("DELETE", f"/messages/{message}").status == 204
    again = work.message(checkpoint)
    assert again != message
    work.settle()
    assert work.found("elephants") == [again]


def test_a_repeat_with_the_same_key_answers_as_the_first_call_did(work: Workspace) -> None:
    body, headers = {"checkpoint_id": work.checkpoint(), "content": "x"}, {"Idempotency-Key": "k"}
    first, second = (work.call("POST", "/messages", body, headers=headers) for _ in range(2))
    assert (first.status, first.json) == (second.status, second.json) == (201, {**first.json, "status": "created"})


def test_twins_at_once_create_one_message(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    service = MessageService(wiring.dependencies(), work.principal)

    async def together(keys: list[str | None]) -> list[Any]:
        calls = (service.create(checkpoint, "twins", None, {}, None, key, "request") for key in keys)
        return await asyncio.gather(*calls)

    answers = runtime.run(together([None, None, None]))
    assert sorted(answer.status for answer in answers) == ["created", "duplicate", "duplicate"]
    assert len({answer.id for answer in answers}) == 1
    assert len(work.objects()) == 1


def test_twins_with_one_key_answer_the_same(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    service = MessageService(wiring.dependencies(), work.principal)

    async def together() -> list[Any]:
        calls = (service.create(checkpoint, "twins", None, {}, None, "key", "request") for _ in range(3))
        return await asyncio.gather(*calls)

    answers = runtime.run(together())
    assert [answer.status for answer in answers] == ["created"] * 3
    assert len({answer.id for answer in answers}) == 1
    assert (len(work.objects()), work.entities().count("message")) == (1, 1)


@pytest.mark.parametrize("size", [1, INLINE_BYTES, INLINE_BYTES + 1, 1_048_576])
def test_content_up_to_a_megabyte_is_kept(work: Workspace, size: int) -> None:
    content = ("word " * (size // 5 + 1))[:size]
    message = work.message(work.checkpoint(), content)
    shown = work.call("GET", f"/messages/{message}").json
    assert shown["content"] == content
    assert shown["content_bytes"] == size
    assert shown["content_sha256"] == hashlib.sha256(content.encode()).hexdigest()
    (item,) = [item for item in work.items() if item["entity"] == "message"]
    assert ("content" in item) is (size <= INLINE_BYTES)


def test_only_a_message_whose_content_is_in_the_table_has_a_transient_object(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    s3 = work.stack.client("s3")
    for content, tagged in (("small", True), (LARGE, False)):
        before = set(work.objects())
        work.message(checkpoint, content)
        (key,) = set(work.objects()) - before
        tags = s3.get_object_tagging(Bucket="almanac", Key=key)["TagSet"]
        assert tags == ([{"Key": "lifetime", "Value": "transient"}] if tagged else [])


def test_lists_show_the_beginning_of_large_messages(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    small, middle, large = (work.message(checkpoint, content) for content in ("small", "m" * 5000, LARGE))
    items = work.call("GET", "/messages", query={"checkpoint_id": checkpoint}).json["items"]
    assert [item["id"] for item in items] == [small, middle, large]
    assert [item["content"] for item in items] == ["small", None, None]
    assert [item["preview"] for item in items] == ["small", "m" * 1000, LARGE[:1000]]


def test_messages_are_listed_page_by_page(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    made = [work.message(checkpoint, f"number {number}") for number in range(5)]
    assert list(work.pages("/messages", 2, checkpoint_id=checkpoint)) == [made[:2], made[2:4], made[4:]]


def test_a_message_needs_a_checkpoint_that_exists(work: Workspace, other: Workspace) -> None:
    for checkpoint in (new_id("chk"), other.checkpoint()):
        answer = work.call("POST", "/messages", {"checkpoint_id": checkpoint, "content": "x"})
        assert (answer.status, answer.json["code"]) == (404, "checkpoint_not_found")
        assert answer.json["errors"][0]["field"] == "body.checkpoint_id"
    assert (work.items(), work.objects(), work.events()) == ([], [], [])


def test_an_update_replaces_what_search_finds(work: Workspace) -> None:
    message = work.message(work.checkpoint(), "elephants never forget", author="Ann")
    work.settle()
    answer = work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "giraffes sleep standing"})
    assert answer.status == 200
    assert (answer.json["version"], answer.json["author"]) == (2, "Ann")
    assert answer.json["indexed"]["state"] == "pending"
    assert work.call("GET", f"/messages/{message}").json == answer.json
    work.settle()
    assert work.call("GET", f"/messages/{message}").json["indexed"]["state"] == "indexed"
    assert work.found("giraffes") == [message]
    hits = work.stack.call("search", "GET", "/api/v1/search", tenant=work.tenant, query={"q": "elephants"}).json
    assert all("elephants" not in str(hit) for hit in hits["items"])
    assert len(work.objects()) == 1


def test_an_update_of_a_large_message_keeps_its_content(work: Workspace) -> None:
    message = work.message(work.checkpoint(), LARGE)
    work.settle()
    changed = work.call("PATCH", f"/messages/{message}", {"version": 1, "author": "Ann", "metadata": {"a": "b"}})
    assert (changed.json["content"], changed.json["author"]) == (LARGE, "Ann")
    work.settle()
    assert work.call("GET", f"/messages/{message}").json["content"] == LARGE
    assert len(work.objects()) == 1


def test_a_null_author_is_removed(work: Workspace) -> None:
    message = work.message(work.checkpoint(), author="Ann")
    assert work.call("PATCH", f"/messages/{message}", {"version": 1, "author": None}).json["author"] is None


def test_an_update_of_an_old_version_changes_nothing(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    before, sent, objects = work.items(), work.events(), work.objects()
    answer = work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "lost"})
    assert (answer.status, answer.json["code"], answer.json["current_version"]) == (409, "version_conflict", 2)
    assert (work.items(), work.events(), work.objects()) == (before, sent, objects)


def test_two_updates_of_one_version_at_once_leave_the_content_of_one(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    service = MessageService(wiring.dependencies(), work.principal)
    contents = [LARGE + name for name in "abc"]

    async def together() -> list[Any]:
        calls = (service.update(message, 1, {"content": content}) for content in contents)
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = runtime.run(together())
    (winner,) = [answer for answer in answers if isinstance(answer, tuple)]
    assert work.call("GET", f"/messages/{message}").json["content"] == winner[1]
    work.settle()
    assert len(work.objects()) == 1


def test_an_update_cannot_take_the_content_of_another_message(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    first, second = work.message(checkpoint, "first"), work.message(checkpoint, "second")
    objects = work.objects()
    answer = work.call("PATCH", f"/messages/{second}", {"version": 1, "content": "first"})
    assert (answer.status, answer.json["code"], answer.json["message_id"]) == (409, "duplicate_content", first)
    assert work.objects() == objects
    assert work.call("GET", f"/messages/{second}").json["content"] == "second"


def test_an_updated_message_leaves_its_old_content_to_others(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint, "first")
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    assert work.message(checkpoint, "first") != message
    answer = work.call("POST", "/messages", {"checkpoint_id": checkpoint, "content": "second"})
    assert answer.json == {"id": message, "status": "duplicate"}


def test_what_the_index_says_of_an_old_version_is_not_shown(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "second"})
    origin = MessageOrigin(message_id=message, version=1)
    work.work(SourcesIndexed(tenant_id=work.tenant, correlation_id="c", origin=origin, chunks=1, embedded=1))
    assert work.call("GET", f"/messages/{message}").json["indexed"]["state"] == "pending"
    (left,) = work.objects()
    assert "/000002-" in left


def test_a_message_that_cannot_be_indexed_says_why(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    origin = MessageOrigin(message_id=message, version=1)
    failed = SourcesFailed(
        tenant_id=work.tenant, correlation_id="c", origin=origin, code="model_refused", cause="too strange"
    )
    for _ in range(2):
        assert work.work(failed) == {"batchItemFailures": []}
    indexed = work.call("GET", f"/messages/{message}").json["indexed"]
    assert (indexed["state"], indexed["code"], indexed["cause"]) == ("failed", "model_refused", "too strange")


def test_what_an_error_of_ours_says_of_itself_is_not_shown(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    origin = MessageOrigin(message_id=message, version=1)
    cause = "ClientError: arn:aws:sts::000000000000:assumed-role/worker may not"
    failed = SourcesFailed(
        tenant_id=work.tenant, correlation_id="c", origin=origin, code="attempts_exhausted", cause=cause
    )
    work.work(failed)
    indexed = work.call("GET", f"/messages/{message}").json["indexed"]
    assert indexed["code"] == "attempts_exhausted"
    assert "arn:" not in indexed["cause"]


def test_a_failure_that_is_told_late_does_not_hide_that_a_message_is_searchable(work: Workspace) -> None:
    message = work.message(work.checkpoint(), content="x" * 400_000)
    origin = MessageOrigin(message_id=message, version=1)
    common = {"tenant_id": work.tenant, "correlation_id": "c", "origin": origin}
    work.work(SourcesIndexed(**common, chunks=1, embedded=1))
    work.work(SourcesFailed(**common, code="attempts_exhausted", cause="killed after its last step"))
    shown = work.call("GET", f"/messages/{message}").json
    assert (shown["indexed"]["state"], len(shown["content"])) == ("indexed", 400_000)


def test_a_deleted_message_is_gone_from_search_before_anything_else_runs(work: Workspace) -> None:
    message = work.message(work.checkpoint(), LARGE)
    work.settle()
    assert work.found("whales") == [message]
    assert work.call("DELETE", f"/messages/{message}").status == 204
    assert work.found("whales") == []
    assert work.call("GET", f"/messages/{message}").status == 404
    assert work.call("DELETE", f"/messages/{message}").status == 404
    work.settle()
    assert work.objects() == []
    assert {"message", "message_hash"}.isdisjoint(work.entities())


def test_a_message_deleted_before_it_was_indexed_never_shows_up(work: Workspace) -> None:
    message = work.message(work.checkpoint())
    assert work.call("DELETE", f"/messages/{message}").status == 204
    work.stack.relay()
    work.stack.deliver("Projects")
    work.settle()
    assert work.found("elephants") == []
    assert work.objects() == []
    assert work.stack.dead_letters("Embedding") == []
