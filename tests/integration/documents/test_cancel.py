"""A job is cancelled at whatever step it is, and nothing of it stays behind."""

import pytest

from documents.model import DocumentState
from tests.integration.documents.shelf import QUEUES, Shelf
from tests.support.plain_files import pages


@pytest.mark.parametrize("deliveries", range(0, 12, 2))
def test_a_first_version_that_is_cancelled_leaves_nothing_to_search(shelf: Shelf, deliveries: int) -> None:
    document_id = shelf.upload(pages(50))
    for number in range(deliveries):
        shelf.step(QUEUES[number % len(QUEUES)])
    answer = shelf.cancel(document_id)
    if answer.status == 409:
        assert (answer.json["code"], shelf.document(document_id).state) == (
            "document_not_processing",
            DocumentState.READY,
        )
        return
    assert (answer.status, answer.json["state"]) == (200, "cancelled")
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.due_at) == (DocumentState.CANCELLED, None)
    assert (shelf.shown(document_id), shelf.awaited()) == ({}, [])
    assert document.cause is not None
    assert document.cause.code == "cancelled"
    assert shelf.cancel(document_id).json["code"] == "document_not_processing"
    assert shelf.reprocess(document_id).status == 202
    shelf.settle()
    assert shelf.shown(document_id) == dict(enumerate(pages(50), start=1))


def test_what_has_ended_or_waits_for_its_file_cannot_be_cancelled(shelf: Shelf) -> None:
    ended = shelf.read(pages(1))
    waiting = shelf.call("POST", "/documents", {"filename": "plan.pdf"}).json["id"]
    for document_id in (ended, waiting):
        answer = shelf.cancel(document_id)
        assert (answer.status, answer.json["code"]) == (409, "document_not_processing")
    assert shelf.cancel("doc_01k9zq3v7m8x2c4b6n0d1f5g7h").status == 404


def test_a_document_that_is_read_again_and_cancelled_stays_as_it_was(shelf: Shelf) -> None:
    document_id = shelf.read(pages(20))
    shelf.reprocess(document_id)
    shelf.step("Documents")
    assert shelf.cancel(document_id).status == 200
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.shown_version) == (DocumentState.CANCELLED, 1)
    assert shelf.shown(document_id) == dict(enumerate(pages(20), start=1))
    assert shelf.version(document_id, 1).state is DocumentState.READY
