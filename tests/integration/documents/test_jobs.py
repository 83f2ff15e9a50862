"""A document becomes searchable page by page, and its job says how far it is."""

from documents.model import DocumentState, Step
from tests.integration.documents.shelf import Shelf, pages


def test_all_pages_of_a_document_are_searchable_and_its_job_says_so(shelf: Shelf) -> None:
    texts = pages(47)
    document_id = shelf.read(texts)
    document = shelf.document(document_id)
    assert (document.state, document.cause, document.due_at) == (DocumentState.READY, None, None)
    assert (document.shown_version, document.shown_pages, document.media_type) == (1, 47, "application/pdf")
    assert shelf.shown(document_id) == dict(enumerate(texts, start=1))
    assert document.job is not None
    counts = document.job.counts
    assert (document.job.step, document.job.percent) == (Step.READY, 100)
    assert (counts.pages, counts.read, counts.bad, counts.chunks, counts.embedded) == (47, 47, 0, 47, 47)
    assert (counts.parts, counts.parts_read, counts.parts_indexed) == (4, 4, 4)
    version = shelf.version(document_id, 1)
    assert (version.state, version.pages, version.parts, version.bad_pages) == (DocumentState.READY, 47, 4, [])
    assert shelf.found("number31")[0] == document_id
    assert shelf.awaited() == []
