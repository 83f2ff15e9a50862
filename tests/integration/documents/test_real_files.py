"""Real files through the real reader, from the upload to the citation."""

import pytest

from documents.model import DocumentState
from documents.reading import process
from tests.integration.documents.shelf import Shelf
from tests.integration.harness import Stack
from tests.support import tessdata
from tests.support.plain_files import PlainReader
from tests.unit.reading import files
from tests.unit.reading.scans import LINES, saved, scan

LINE = "The supplier hands over the turbine in October"


@pytest.fixture
def shelf(stack: Stack) -> Shelf:
    return Shelf(stack, stack.tenant(), PlainReader())


def test_a_pdf_is_cited_by_its_page(shelf: Shelf) -> None:
    texts = [f"Page {number} is about gearbox{number}" for number in range(1, 9)]
    document_id = shelf.bring(files.pdf(texts), "plan.pdf")
    document = shelf.document(document_id)
    assert (document.state, document.media_type) == (DocumentState.READY, "application/pdf")
    assert sorted(shelf.shown(document_id)) == list(range(1, 9))
    answer = shelf.stack.call("search", "GET", "/api/v1/search", tenant=shelf.tenant, query={"q": "gearbox6"})
    citation = answer.json["items"][0]["citation"]
    assert (citation["document_id"], citation["version"], citation["label"]) == (document_id, 1, "page 6")


def test_a_word_file_is_read_by_its_content_whatever_its_name(shelf: Shelf) -> None:
    document_id = shelf.bring(files.docx(files.paragraph(LINE)), "plan.bin")
    assert shelf.document(document_id).state is DocumentState.READY
    assert LINE in shelf.shown(document_id)[1]


def test_a_scan_is_offered_text_recognition_and_found_by_its_words(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tessdata.fetched())
    process.pool.close()
    document_id = shelf.bring(saved([scan([line]) for line in LINES], "PDF"), "scan.pdf")
    cause = shelf.document(document_id).cause
    assert cause is not None
    assert (cause.code, "recognition" in cause.way_out) == ("scanned", True)
    assert shelf.reprocess(document_id, ocr=True).status == 202
    shelf.settle()
    assert shelf.document(document_id).state is DocumentState.READY
    assert any("recognition" in warning for warning in shelf.version(document_id, 1).warnings)
    answer = shelf.stack.call("search", "GET", "/api/v1/search", tenant=shelf.tenant, query={"q": "independent expert"})
    citation = answer.json["items"][0]["citation"]
    assert (citation["document_id"], citation["label"]) == (document_id, "page 3")
    process.pool.close()


def test_what_cannot_be_read_says_why(shelf: Shelf) -> None:
    document_id = shelf.bring(bytes(range(256)) * 16, "plan.pdf")
    document = shelf.document(document_id)
    assert document.state is DocumentState.FAILED
    assert document.cause is not None
    assert document.cause.code == "unsupported"
