"""Documents in the index compared with their stored texts, and an index filled anew from the sources."""

from dataclasses import replace
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import Update
from almanac.index.sources import SourceBatch
from documents.model import Document
from search.indexes import recovery
from search.indexes.builds import Build
from search.indexes.opening import open_index
from search.quality import report
from search.quality.report import Difference, Report
from tests.integration.projects.people import colleague
from tests.integration.search.test_documents import collection
from tests.integration.search.test_quality import problems, verify
from tests.integration.search.world import World, blobs, run, table

PAGES = ("Invoices are paid within thirty days.", "", "# Annex\n\nThe annex is about cranes.")


@pytest.fixture
def document(world: World) -> Document:
    return world.document(*PAGES, parts=2)


def rewrite(world: World, document: Document, **changes: Any) -> None:
    """Change the pages of a document's first stored part."""
    key = keys.document_text(world.tenant, document.id, document.shown_revision, 1)
    body = run(blobs().get(key))
    sources = [source.model_copy(update=changes) for source in SourceBatch.decode(body).sources]
    run(blobs().put(key, SourceBatch(sources=sources).encode()))


def change(world: World, document: Document, **changes: Any) -> None:
    run(table().write(Update(keys.document(world.tenant, document.id), set=changes)))


def test_documents_that_say_what_their_texts_say_have_no_differences(world: World, document: Document) -> None:
    world.revised(world.document(*PAGES), "Only one page is left.")
    found = verify(world)
    assert found["differences"] == []
    assert found["checked"]["documents"] == 2


def test_a_page_whose_text_is_another_is_told(world: World, document: Document) -> None:
    rewrite(world, document, text="Something else.")
    assert set(problems(verify(world))) == {("document", "content_differs")}


def test_a_page_that_stands_elsewhere_is_told(world: World, document: Document) -> None:
    change(world, document, collection_id="col_other")
    assert set(problems(verify(world))) == {("document", "place_differs")}


def test_texts_that_are_gone_and_documents_that_are_gone_are_told(world: World, document: Document) -> None:
    for part in (1, 2):
        key = keys.document_text(world.tenant, document.id, 1, part)
        world.stack.client("s3").delete_object(Bucket="almanac", Key=key)
    assert set(problems(verify(world))) == {("document", "content_missing")}
    item = keys.document(world.tenant, document.id)
    world.stack.client("dynamodb").delete_item(TableName="almanac", Key={"pk": {"S": item.pk}, "sk": {"S": item.sk}})
    assert set(problems(verify(world))) == {("document", "document_gone")}


def test_pages_of_another_revision_and_pages_that_never_came_are_told(world: World, document: Document) -> None:
    for entry in run(world.manifest.read()).segments("test-hash").values():
        world.write(world.manifest.remove(entry))
    assert set(problems(verify(world))) <= {("document", "not_in_index")}
    assert verify(world)["checked"]["documents"] == 1


def test_what_is_being_read_or_was_dropped_is_no_difference(world: World, document: Document) -> None:
    rewrite(world, document, text="Something else.")
    change(world, document, state="processing")
    assert verify(world)["differences"] == []
    change(world, document, state="ready")
    world.write(world.manifest.drop(document.id))
    assert verify(world)["differences"] == []


def test_a_difference_in_a_hidden_collection_is_not_told(world: World) -> None:
    hidden, shown = collection(world, "", "private"), collection(world)
    found = [
        Difference("document:doc_1:000001", "document", "content_differs", "a", "b", "", hidden),
        Difference("document:doc_2:000001", "document", "content_differs", "a", "b", "", shown),
        Difference("document:doc_3:000001", "document", "content_differs", "a", "b", ""),
    ]
    kept = Report("2026-01-31T12:00:00.000Z", "test-hash", 5, {"documents": 3}, found)
    run(table().write(kept.put(world.tenant)))
    assert run(report.last(table(), world.tenant)) == replace(kept, checked={"documents": 3})
    bob = colleague(world.stack, world.tenant)
    told = bob.call("GET", "/search/quality", slice_name="search").json["verification"]["differences"]
    assert [each["source_id"] for each in told] == ["document:doc_2:000001", "document:doc_3:000001"]


def test_an_index_from_the_sources_is_compared_by_every_page(world: World, document: Document) -> None:
    from search import wiring

    async def compared() -> Any:
        state = await world.manifest.read()
        opened = await open_index(wiring.reader(), world.tenant, state, state.directory.serving.id)
        return await recovery.difference(table(), world.tenant, Build("test-hash", "sources", ""), opened)

    found = run(compared())
    assert (found.total, found.missing) == (3, 0)
    for entry in run(world.manifest.read()).segments("test-hash").values():
        world.write(world.manifest.remove(entry))
    found = run(compared())
    assert (found.total, found.missing) == (3, 3)
