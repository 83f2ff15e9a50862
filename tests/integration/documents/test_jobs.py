"""A document becomes searchable page by page, and its job says how far it is."""

import pytest

from almanac.aws import keys
from documents.model import Counts, Document, DocumentState, Part, PartState, Step
from tests.integration.documents.shelf import QUEUES, Shelf, blobs
from tests.support.plain_files import pages


def counted(parts: list[Part]) -> tuple[int, ...]:
    """Return what the counts of a job must be, by its parts alone."""
    read = [part for part in parts if part.first and part.state is not PartState.WAITING]
    indexed = [part for part in read if part.state is PartState.INDEXED]
    bad = sum(len(part.bad_pages) for part in read)
    return (
        sum(part.pages for part in read) - bad,
        bad,
        sum(part.chunks for part in read if part.state is not PartState.FAILED),
        sum(part.chunks for part in indexed),
        len(read),
        len(indexed),
    )


def said(counts: Counts) -> tuple[int, ...]:
    return counts.read, counts.bad, counts.chunks, counts.embedded, counts.parts_read, counts.parts_indexed


def test_all_pages_of_a_document_are_searchable_and_its_job_says_so(shelf: Shelf) -> None:
    texts = pages(47)
    document_id = shelf.read(texts)
    document = shelf.document(document_id)
    assert (document.state, document.cause, document.due_at) == (DocumentState.READY, None, None)
    assert (document.shown_version, document.shown_pages, document.media_type) == (1, 47, "application/pdf")
    assert shelf.shown(document_id) == dict(enumerate(texts, start=1))
    assert document.job is not None
    assert (document.job.step, document.job.percent) == (Step.READY, 100)
    assert document.job.counts == Counts(
        pages=47, read=47, chunks=47, embedded=47, parts=4, parts_read=4, parts_indexed=4
    )
    version = shelf.version(document_id, 1)
    assert (version.state, version.pages, version.parts, version.bad_pages) == (DocumentState.READY, 47, 4, [])
    assert sorted(shelf.reader.asked) == [(1, 5), (6, 25), (26, 45), (46, 47)]
    assert shelf.found("number31")[0] == document_id
    assert shelf.awaited() == []


@pytest.mark.parametrize("kind", ["", "%sections"])
def test_a_job_says_the_truth_at_every_moment_and_its_percentage_never_goes_back(shelf: Shelf, kind: str) -> None:
    document_id = shelf.upload(pages(70), kind=kind)
    moments: list[Document] = []
    while shelf.stack.relay() or any(shelf.step(queue) + _noted(shelf, document_id, moments) for queue in QUEUES):
        pass
    jobs = [moment.job for moment in moments if moment.job is not None]
    percents, steps = [job.percent for job in jobs], [list(Step).index(job.step) for job in jobs]
    assert percents == sorted(percents)
    assert steps == sorted(steps)
    assert percents[-1] == 100
    assert len(set(percents)) > 3


def _noted(shelf: Shelf, document_id: str, moments: list[Document]) -> int:
    document = shelf.document(document_id)
    moments.append(document)
    if document.job is not None:
        assert said(document.job.counts) == counted(shelf.parts(document_id, document.job.revision))
    return 0


def test_what_has_no_pages_is_cut_where_its_sections_are(shelf: Shelf) -> None:
    texts = pages(30, "section")
    document_id = shelf.read(texts, kind="%sections")
    assert shelf.shown(document_id) == dict(enumerate(texts, start=1))
    assert shelf.reader.asked == [(1, 0)]
    assert [part.pages for part in shelf.parts(document_id, 1)] == [5, 20, 5]


def test_the_first_pages_are_searchable_while_the_others_are_read(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(100))
    shelf.step("Documents")
    shelf.step("Embedding")
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5]
    assert shelf.document(document_id).state is DocumentState.PROCESSING


def test_a_page_that_cannot_be_read_leaves_the_others_and_is_named(shelf: Shelf) -> None:
    texts = pages(12)
    texts[6] = "!corrupt"
    document_id = shelf.read(texts)
    document = shelf.document(document_id)
    assert document.state is DocumentState.PARTIAL
    assert document.cause is not None
    assert (document.cause.code, "page 7" in document.cause.message) == ("pages_unreadable", True)
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    (bad,) = shelf.version(document_id, 1).bad_pages
    assert (bad.number, bad.code) == (7, "corrupt")


def test_a_part_that_cannot_be_read_leaves_the_others(shelf: Shelf) -> None:
    texts = pages(30)
    texts[5:25] = ["!corrupt"] * 20
    document_id = shelf.read(texts)
    assert shelf.document(document_id).state is DocumentState.PARTIAL
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5, 26, 27, 28, 29, 30]
    assert len(shelf.version(document_id, 1).bad_pages) == 20


@pytest.mark.parametrize(
    ("kind", "texts", "code"),
    [
        ("%broken hostile", pages(2), "hostile"),
        ("%broken unsupported", pages(2), "unsupported"),
        ("%broken crashed", pages(2), "crashed"),
        ("", ["!corrupt", "!corrupt"], "corrupt"),
        ("", [" ", "  "], "scanned"),
        ("", ["!ocr_needed", "!ocr_needed"], "scanned"),
        ("%sections", [" "], "empty"),
    ],
)
def test_what_gives_no_text_fails_with_a_cause_and_a_way_out(
    shelf: Shelf, kind: str, texts: list[str], code: str
) -> None:
    document_id = shelf.read(texts, kind=kind)
    document = shelf.document(document_id)
    assert document.state is DocumentState.FAILED
    assert document.cause is not None
    assert (document.cause.code, bool(document.cause.way_out)) == (code, True)
    version = shelf.version(document_id, 1)
    assert (version.state, version.cause) == (DocumentState.FAILED, document.cause)
    assert (shelf.shown(document_id), shelf.awaited(), document.due_at) == ({}, [], None)


def test_a_file_that_is_gone_fails_its_document(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(2))
    shelf.run(blobs().delete([keys.document_original(shelf.tenant, document_id, 1)]))
    version = shelf.version(document_id, 1)
    if version.object_version:
        shelf.stack.client("s3").delete_object(
            Bucket="almanac",
            Key=keys.document_original(shelf.tenant, document_id, 1),
            VersionId=version.object_version,
        )
    shelf.settle()
    cause = shelf.document(document_id).cause
    assert cause is not None
    assert cause.code == "file_missing"


def test_a_part_that_the_index_refuses_leaves_the_others(shelf: Shelf) -> None:
    document_id = shelf.upload(pages(30))
    shelf.step("Documents")
    shelf.step("Documents")
    shelf.run(blobs().delete([keys.document_text(shelf.tenant, document_id, 1, 2)]))
    shelf.settle()
    document = shelf.document(document_id)
    assert document.state is DocumentState.PARTIAL
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5, 26, 27, 28, 29, 30]
    assert {page.number for page in shelf.version(document_id, 1).bad_pages} == set(range(6, 26))
    assert shelf.awaited() == []


def test_what_the_index_refuses_of_a_renamed_document_is_said(shelf: Shelf) -> None:
    document_id = shelf.read(pages(30))
    assert shelf.call("PATCH", f"/documents/{document_id}", {"edits": 1, "title": "Plan"}).status == 200
    shelf.step("Documents")
    shelf.run(blobs().delete([keys.document_text(shelf.tenant, document_id, 2, 2)]))
    shelf.settle()
    shown = shelf.call("GET", f"/documents/{document_id}").json
    assert sorted(shelf.shown(document_id)) == [1, 2, 3, 4, 5, 26, 27, 28, 29, 30]
    assert (shown["state"], shown["cause"]["code"]) == ("partial", "pages_unreadable")
    assert {page["number"] for page in shown["bad_pages"]} == set(range(6, 26))


def test_a_password_opens_a_file_and_is_forgotten_with_the_job(shelf: Shelf) -> None:
    document_id = shelf.read(pages(30), kind="%locked sesame-0815")
    assert _cause(shelf, document_id) == "encrypted"
    assert shelf.reprocess(document_id, password="alibaba").status == 202
    assert shelf.items("document_password")
    shelf.settle()
    assert _cause(shelf, document_id) == "wrong_password"
    assert shelf.items("document_password") == []
    answer = shelf.reprocess(document_id, password="sesame-0815")
    assert "sesame" not in answer.text
    kept = shelf.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert "sesame" not in repr(kept)
    shelf.settle()
    assert shelf.document(document_id).state is DocumentState.READY
    assert len(shelf.shown(document_id)) == 30
    assert shelf.items("document_password") == []


def _cause(shelf: Shelf, document_id: str) -> str:
    cause = shelf.document(document_id).cause
    return cause.code if cause else ""


def test_a_password_opens_a_file_that_is_moved_while_it_is_read(shelf: Shelf) -> None:
    document = shelf.read(pages(3), kind="%locked sesame")
    shelf.reprocess(document, password="sesame")
    created = shelf.stack.call("projects", "POST", "/api/v1/projects", {"name": "There"}, tenant=shelf.tenant)
    moved = {"edits": 1, "project_id": created.json["id"]}
    assert shelf.call("PATCH", f"/documents/{document}", moved).status == 200
    shelf.settle()
    assert shelf.document(document).state is DocumentState.READY
    assert shelf.items("document_password") == []


def test_each_step_is_told_and_what_is_told_last_is_the_end(shelf: Shelf) -> None:
    document_id = shelf.read(pages(60))
    told = shelf.told(document_id)
    steps = [event["data"]["job"]["step"] for event in told if event["data"]["job"]]
    assert [step for at, step in enumerate(steps) if step not in steps[:at]] == [
        "uploaded",
        "reading",
        "embedding",
        "analysing",
        "ready",
    ]
    assert (told[-1]["data"]["state"], told[-1]["data"]["job"]["percent"]) == ("ready", 100)
    percents = [event["data"]["job"]["percent"] for event in told if event["data"]["job"]]
    assert percents == sorted(percents)
    saves = shelf.document(document_id).change
    assert len(told) < saves


def test_what_is_read_again_replaces_what_was_read(shelf: Shelf) -> None:
    document_id = shelf.read(pages(30))
    assert shelf.reprocess(document_id).status == 202
    assert shelf.reprocess(document_id).json["code"] == "document_processing"
    shelf.settle()
    document = shelf.document(document_id)
    assert (document.state, document.revision, document.shown_revision) == (DocumentState.READY, 2, 2)
    assert shelf.shown(document_id) == dict(enumerate(pages(30), start=1))
    assert {item["revision"] for item in shelf.items("document_part")} == {2}


def test_a_document_without_a_file_cannot_be_read_again(shelf: Shelf) -> None:
    created = shelf.call("POST", "/documents", {"filename": "plan.pdf"})
    document_id = created.json["id"]
    assert shelf.reprocess(document_id).json["code"] == "nothing_uploaded"


def test_a_failing_analysis_leaves_a_warning_and_the_document_ready(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from documents import analysis

    async def failing(*_: object) -> None:
        raise ValueError("no verbs")

    monkeypatch.setattr(analysis, "run", failing)
    document_id = shelf.read(pages(3))
    assert shelf.document(document_id).state is DocumentState.READY
    (warning,) = shelf.version(document_id, 1).warnings
    assert "analysed" in warning
    assert "verbs" not in warning


def test_documents_are_sent_again_with_everything_else(shelf: Shelf) -> None:
    from almanac.aws import outbox
    from almanac.events import ResendDocuments
    from tests.integration.documents.shelf import table

    first, second = shelf.read(pages(8)), shelf.read(pages(9, "leaf"))
    lost = [key for key in _index(shelf) if "/parts/" in key]
    shelf.run(blobs().delete(lost))
    event = ResendDocuments(tenant_id=shelf.tenant, correlation_id="again")
    shelf.run(table().write(outbox.message(event)))
    shelf.settle()
    assert (len(shelf.shown(first)), len(shelf.shown(second))) == (8, 9)


def _index(shelf: Shelf) -> list[str]:
    async def listed() -> list[str]:
        return [key async for key in blobs().list(keys.indexes_prefix(shelf.tenant))]

    found: list[str] = shelf.run(listed())
    return found
