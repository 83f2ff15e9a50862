"""No job stays where it is: what fell silent goes on, what takes too long ends with a cause."""

import time
from typing import Any

import pytest

from almanac.aws import keys
from almanac.clock import iso
from documents.jobs import overdue, progress
from documents.model import DocumentState
from documents.services.arrivals import Arrivals
from tests.integration.documents.shelf import QUEUES, Shelf
from tests.integration.documents.world import Library
from tests.support.plain_files import file_of, pages


class Later:
    """A clock that is ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def by(self, seconds: float) -> None:
        class Clock:
            time = staticmethod(lambda: time.time() + seconds)

        from documents import watchdog

        for module in (watchdog, overdue):
            self._monkeypatch.setattr(module, "time", Clock)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    return Later(monkeypatch)


@pytest.mark.parametrize("deliveries", range(0, 14, 2))
def test_a_job_whose_messages_are_all_lost_goes_on_where_it_was(shelf: Shelf, later: Later, deliveries: int) -> None:
    texts = pages(70)
    document_id = shelf.upload(texts)
    for number in range(deliveries):
        shelf.step(QUEUES[number % len(QUEUES)])
    shelf.stack.discard_messages()
    asked = len(shelf.reader.asked)
    assert shelf.watch() == {"documents": 0, "helped": 0}
    for again in range(8):
        if shelf.document(document_id).due_at is None:
            break
        later.by((again + 1) * (progress.STALE_SECONDS + 60))
        shelf.watch()
        shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.due_at) == (DocumentState.READY, None)
    assert shelf.shown(document_id) == dict(enumerate(texts, start=1))
    read = [first for first, _ in shelf.reader.asked]
    assert len(read) == len(set(read)), "a page was read twice"
    assert len(read) >= asked


def test_a_job_that_takes_too_long_ends_with_a_cause(shelf: Shelf, later: Later) -> None:
    document_id = shelf.upload(pages(70))
    for queue in QUEUES:
        shelf.step(queue)
    shelf.stack.discard_messages()
    later.by(24 * 3600)
    assert shelf.watch()["helped"] == 1
    document = shelf.document(document_id)
    assert document.cause is not None
    assert (document.state, document.cause.code) == (DocumentState.FAILED, "deadline_passed")
    shelf.settle()
    assert (shelf.shown(document_id), shelf.awaited()) == ({}, [])
    assert shelf.document(document_id).due_at is None


def test_an_upload_that_never_arrives_expires_and_says_so(shelf: Shelf, later: Later) -> None:
    created = shelf.call("POST", "/documents", {"filename": "plan.pdf"})
    document_id = created.json["id"]
    later.by(3 * 24 * 3600)
    assert shelf.watch()["helped"] == 1
    document = shelf.document(document_id)
    assert document.cause is not None
    assert (document.state, document.upload, document.cause.code) == (DocumentState.EXPIRED, None, "upload_expired")
    assert document.due_at is None
    assert shelf.watch() == {"documents": 0, "helped": 0}


def test_a_file_of_whose_arrival_nobody_was_told_is_read_all_the_same(shelf: Shelf, later: Later) -> None:
    library, texts = Library(shelf.stack, shelf.tenant), pages(8)
    begun = library.begin("plan.pdf", content_type="application/pdf")
    assert library.post(begun["upload"], file_of(texts)) == 204
    shelf.stack.discard_messages()
    later.by(2 * 3600)
    assert shelf.watch()["helped"] == 1
    assert shelf.document(begun["id"]).state is DocumentState.AWAITING
    shelf.settle()
    document = shelf.document(begun["id"])
    assert (document.state, document.version, document.upload) == (DocumentState.READY, 1, None)
    assert shelf.shown(begun["id"]) == dict(enumerate(texts, start=1))


def test_a_file_that_the_watchdog_found_and_the_bucket_tells_of_later_is_one_version(
    shelf: Shelf, later: Later
) -> None:
    library = Library(shelf.stack, shelf.tenant)
    begun = library.begin("plan.pdf", content_type="application/pdf")
    assert library.post(begun["upload"], file_of(pages(3))) == 204
    later.by(2 * 3600)
    shelf.watch()
    shelf.watch()
    shelf.settle()
    assert [(each["version"], each["state"]) for each in library.versions(begun["id"])] == [(1, "ready")]
    assert len(shelf.reader.asked) == 1


def test_a_file_that_cannot_be_taken_in_ends_its_upload_with_a_cause(
    shelf: Shelf, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: Any) -> None:
        raise OSError("the disk is full")

    library = Library(shelf.stack, shelf.tenant)
    begun = library.begin("plan.pdf", content_type="application/pdf")
    library.post(begun["upload"], file_of(pages(3)))
    shelf.stack.discard_messages()
    later.by(2 * 3600)
    shelf.watch()
    monkeypatch.setattr(Arrivals, "take_in", failing)
    shelf.settle()
    document = shelf.document(begun["id"])
    assert document.cause is not None
    assert (document.state, document.upload, document.cause.code) == (DocumentState.FAILED, None, "attempts_exhausted")
    assert "disk" not in document.cause.message


def test_followers_hear_of_a_deletion_once_however_often_it_is_taken_up_again(shelf: Shelf, later: Later) -> None:
    document_id = shelf.read(pages(3))
    assert shelf.call("DELETE", f"/documents/{document_id}").status == 202
    shelf.stack.relay()
    for again in range(1, 4):
        later.by(again * 3600)
        assert shelf.watch()["helped"] == 1
    told = [event["type"] for event in shelf.told(document_id)]
    assert told.count("document.deleted") == 1


def test_a_version_that_never_arrives_leaves_the_document_as_it_was(shelf: Shelf, later: Later) -> None:
    document_id = shelf.read(pages(3))
    answer = shelf.call("POST", f"/documents/{document_id}/versions", {"filename": "plan.pdf", "size": 200 << 20})
    assert answer.status == 201, answer.text
    later.by(3 * 24 * 3600)
    assert shelf.watch()["helped"] == 1
    document = shelf.document(document_id)
    assert (document.state, document.upload, document.due_at) == (DocumentState.READY, None, None)
    uploads = shelf.stack.client("s3").list_multipart_uploads(Bucket="almanac").get("Uploads", [])
    assert [each for each in uploads if document_id in each["Key"]] == []


def test_a_part_that_no_attempt_can_read_is_given_up_and_the_others_stay(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = shelf.reader.read

    async def failing(path: Any, probe: Any, first: int, last: int, **more: Any) -> Any:
        if first == 6:
            raise OSError("the disk is full")
        return await read(path, probe, first, last, **more)

    monkeypatch.setattr(shelf.reader, "read", failing)
    document_id = shelf.read(pages(30))
    document = shelf.document(document_id)
    assert document.state is DocumentState.PARTIAL
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5, 26, 27, 28, 29, 30]
    assert "disk" not in repr(shelf.version(document_id, 1))
    (letter,) = shelf.stack.dead_letters("Documents")
    assert letter["code"] == "attempts_exhausted"


def test_a_worker_with_no_time_left_passes_its_message_on(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(8))
    for _ in range(6):
        shelf.stack.relay()
        shelf.stack.deliver("Documents", milliseconds=20_000)
    assert shelf.reader.asked == []
    shelf.settle()
    assert shelf.document(document_id).state is DocumentState.READY
    assert shelf.stack.dead_letters("Documents") == []


def test_a_plan_that_no_attempt_can_make_fails_the_document(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setattr(shelf.reader, "probe", failing)
    document_id = shelf.read(pages(3))
    document = shelf.document(document_id)
    assert document.cause is not None
    assert (document.state, document.cause.code) == (DocumentState.FAILED, "attempts_exhausted")
    assert "disk" not in document.cause.message


def test_the_watchdog_finds_a_document_when_it_is_due_and_not_before(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(3))
    document = shelf.document(document_id)
    assert document.job is not None
    (row,) = [item for item in shelf.items("document") if item["id"] == document_id]
    assert row["gsi2pk"] == keys.due_documents()
    assert iso(time.time()) < row["gsi2sk"] <= f"{document.job.deadline_at}#{document_id}"
