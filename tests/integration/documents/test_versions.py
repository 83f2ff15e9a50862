"""A further version takes the place of the one before when all of it was read, and not a moment earlier."""

from almanac.aws import keys
from documents.model import DocumentState
from tests.integration.documents.shelf import QUEUES, Shelf, blobs
from tests.support.plain_files import pages


def test_a_version_answers_until_the_next_one_was_read_whole(shelf: Shelf) -> None:
    old, new = pages(60, "old"), pages(60, "new")
    document_id = shelf.read(old)
    shelf.upload(new, document=document_id)
    shelf.step("Documents")
    shelf.step("Embedding")
    assert shelf.document(document_id).state is DocumentState.PROCESSING
    assert shelf.shown(document_id) == dict(enumerate(old, start=1))
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.version, document.shown_version) == (DocumentState.READY, 2, 2)
    assert shelf.shown(document_id) == dict(enumerate(new, start=1))
    assert shelf.awaited() == []


def test_pages_that_a_version_lacks_are_shown_no_more(shelf: Shelf) -> None:
    document_id = shelf.read(pages(45, "old"))
    shelf.read(pages(3, "new"), document=document_id)
    assert shelf.shown(document_id) == dict(enumerate(pages(3, "new"), start=1))
    assert shelf.document(document_id).shown_pages == 3
    shelf.read(pages(7, "newest"), document=document_id)
    assert shelf.shown(document_id) == dict(enumerate(pages(7, "newest"), start=1))


def test_what_cannot_be_read_leaves_the_version_before_as_it_is(shelf: Shelf) -> None:
    document_id = shelf.read(pages(8))
    segments = _segments(shelf)
    for kind, texts in (("%broken corrupt", pages(2)), ("", ["!corrupt"]), ("", [" "])):
        shelf.read(texts, kind=kind, document=document_id)
        document = shelf.document(document_id)
        assert (document.state, document.shown_version) == (DocumentState.FAILED, 1)
        assert shelf.shown(document_id) == dict(enumerate(pages(8), start=1))
        assert document.due_at is None
    assert _segments(shelf) == segments
    shelf.read(pages(2, "mended"), document=document_id)
    assert shelf.shown(document_id) == dict(enumerate(pages(2, "mended"), start=1))
    assert shelf.version(document_id, 1).state is DocumentState.READY


def test_a_bad_page_of_a_version_shows_nothing_of_the_one_before(shelf: Shelf) -> None:
    document_id = shelf.read(pages(30))
    texts = pages(30, "new")
    texts[2] = "!corrupt"
    texts[5:25] = ["!corrupt"] * 20
    shelf.read(texts, document=document_id)
    assert shelf.document(document_id).state is DocumentState.PARTIAL
    expected = {number: text for number, text in enumerate(texts, start=1) if not text.startswith("!")}
    assert shelf.shown(document_id) == expected


def test_a_version_that_is_sent_in_part_and_given_up_is_taken_back(shelf: Shelf) -> None:
    old = pages(45, "old")
    document_id = shelf.read(old)
    shelf.upload(pages(60, "new"), document=document_id)
    _until_sent(shelf, document_id)
    assert shelf.cancel(document_id).status == 200
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.shown_version, document.due_at) == (DocumentState.CANCELLED, 1, None)
    assert shelf.shown(document_id) == dict(enumerate(old, start=1))
    assert shelf.version(document_id, 1).revision == document.shown_revision == 3
    assert shelf.version(document_id, 2).state is DocumentState.CANCELLED
    assert shelf.awaited() == []
    shelf.read(pages(2, "third"), document=document_id)
    assert shelf.shown(document_id) == dict(enumerate(pages(2, "third"), start=1))


def test_a_version_that_arrives_while_one_is_read_takes_its_place(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(50, "first"))
    shelf.step("Documents")
    shelf.step("Embedding")
    shelf.upload(pages(30, "second"), document=document_id)
    shelf.step("Documents")
    shelf.upload(pages(20, "third"), document=document_id)
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.shown_version) == (DocumentState.READY, 3)
    assert shelf.shown(document_id) == dict(enumerate(pages(20, "third"), start=1))
    assert shelf.awaited() == []


def test_a_version_that_is_read_again_stays_what_it_was_when_the_next_one_arrives(shelf: Shelf) -> None:
    document_id = shelf.read(pages(3, "old"))
    shelf.reprocess(document_id)
    shelf.read(pages(3, "new"), document=document_id)
    assert (shelf.version(document_id, 1).state, shelf.version(document_id, 1).cause) == (DocumentState.READY, None)
    compared = shelf.call("GET", f"/documents/{document_id}/diff", query={"from": 1, "to": 2})
    assert (compared.status, compared.json["counts"]["changed"]) == (200, 3)
    assert set(shelf.found("old", document=document_id, version="1")) == {document_id}


def test_text_that_is_lost_cannot_be_brought_back_and_the_document_says_so(shelf: Shelf) -> None:
    document_id = shelf.read(pages(10, "old"))
    shelf.upload(pages(60, "new"), document=document_id)
    _until_sent(shelf, document_id)
    shelf.run(blobs().delete([keys.document_text(shelf.tenant, document_id, 1, 1)]))
    shelf.cancel(document_id)
    shelf.settle()
    document = shelf.document(document_id)
    assert document.cause is not None
    assert (document.state, document.cause.code) == (DocumentState.FAILED, "text_missing")
    shelf.reprocess(document_id)
    shelf.settle()
    assert shelf.shown(document_id) == dict(enumerate(pages(60, "new"), start=1))


def test_a_document_that_moves_is_hidden_until_it_is_found_in_its_new_place(shelf: Shelf) -> None:
    document_id = shelf.read(pages(30))
    created = shelf.stack.call("projects", "POST", "/api/v1/projects", {"name": "There"}, tenant=shelf.tenant)
    project = created.json["id"]
    answer = shelf.call("PATCH", f"/documents/{document_id}", {"edits": 1, "project_id": project})
    assert answer.status == 200, answer.text
    assert shelf.shown(document_id) == {}
    shelf.settle()
    assert shelf.shown(document_id) == dict(enumerate(pages(30), start=1))
    assert shelf.document(document_id).state is DocumentState.READY
    assert set(shelf.found("number7", project=project)) == {document_id}


def test_a_document_that_moves_while_it_is_read_shows_nothing_in_its_old_place(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(60))
    for queue in ("Documents", "Embedding", "Documents"):
        shelf.step(queue)
    assert shelf.shown(document_id)
    created = shelf.stack.call("projects", "POST", "/api/v1/projects", {"name": "There"}, tenant=shelf.tenant)
    answer = shelf.call("PATCH", f"/documents/{document_id}", {"edits": 1, "project_id": created.json["id"]})
    assert answer.status == 200, answer.text
    assert shelf.shown(document_id) == {}
    while shelf.step("Embedding"):
        pass
    assert shelf.shown(document_id) == {}
    shelf.settle()
    assert shelf.shown(document_id) == dict(enumerate(pages(60), start=1))
    assert set(shelf.found("number7", project=created.json["id"])) == {document_id}


def _until_sent(shelf: Shelf, document_id: str) -> None:
    """Work until something of the newest revision is searchable, and not all of it."""
    for _ in range(60):
        for queue in QUEUES:
            shelf.step(queue)
            document = shelf.document(document_id)
            assert document.job is not None
            if document.sent_revision == document.job.revision and document.job.counts.parts_indexed < 4:
                shelf.step("Embedding")
                return
    raise AssertionError("nothing was sent")


def _segments(shelf: Shelf) -> list[str]:
    return sorted(item["sk"] for item in shelf.items("index_segment"))
