"""What was uploaded and read is found, quoted and answered from, by version and by right, through the real handlers."""

from typing import Any

import pytest

from tests.integration.documents.shelf import Shelf
from tests.integration.projects.people import Colleague, colleague

THIRTY, SIXTY = (f"Invoices of suppliers are paid within {days} days of receipt." for days in (30, 60))
CRANES = "The northern yard has two cranes."
WHEN = "When are invoices of suppliers paid?"


def found(shelf: Shelf, caller: Colleague | None = None, **asked: Any) -> list[dict[str, Any]]:
    more = {"caller": caller.caller} if caller else {"tenant": shelf.tenant}
    body = {"q": "invoices suppliers cranes", **asked}
    answer = shelf.stack.call("search", "POST", "/api/v1/search", body, **more)
    assert answer.status == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def answered(shelf: Shelf, **asked: Any) -> Any:
    body = {"question": WHEN, **asked}
    answer = shelf.stack.call("search", "POST", "/api/v1/ask", body, tenant=shelf.tenant)
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture
def document(shelf: Shelf) -> str:
    return shelf.read([CRANES, THIRTY])


def test_an_upload_is_found_and_quoted_by_page(shelf: Shelf, document: str) -> None:
    pages = {hit["citation"]["label"]: hit["excerpt"] for hit in found(shelf, document=[document])}
    assert pages == {"page 1": CRANES, "page 2": THIRTY}
    (cited,) = answered(shelf)["citations"]
    assert (cited["quote"], cited["citation"]["label"], cited["citation"]["version"]) == (THIRTY, "page 2", 1)


def test_a_new_version_answers_and_the_old_one_does_when_it_is_named(shelf: Shelf, document: str) -> None:
    shelf.read([SIXTY], document=document)
    assert [hit["excerpt"] for hit in found(shelf)] == [SIXTY]
    old = found(shelf, document=[document], version=1)
    assert {hit["excerpt"] for hit in old} == {CRANES, THIRTY}
    assert {hit["citation"]["version"] for hit in old} == {1}
    assert answered(shelf, document=[document], version=1)["sentences"][0]["text"] == THIRTY
    assert answered(shelf, document=[document], version=2)["sentences"][0]["text"] == SIXTY


def test_a_version_that_failed_changes_nothing_and_is_not_searched(shelf: Shelf, document: str) -> None:
    shelf.read(["x"], kind="%broken corrupt", document=document)
    assert {hit["excerpt"] for hit in found(shelf)} == {CRANES, THIRTY}
    body = {"q": "x", "document": [document], "version": 2}
    refused = shelf.stack.call("search", "POST", "/api/v1/search", body, tenant=shelf.tenant)
    assert (refused.status, refused.json["code"]) == (409, "document_version_not_searchable")


def test_what_a_move_took_from_search_is_refused_and_not_found_empty(shelf: Shelf, document: str) -> None:
    shelf.read([SIXTY], document=document)
    created = shelf.stack.call("projects", "POST", "/api/v1/projects", {"name": "There"}, tenant=shelf.tenant)
    moved = {"edits": 1, "project_id": created.json["id"]}
    assert shelf.call("PATCH", f"/documents/{document}", moved).status == 200
    shelf.settle()
    assert [hit["excerpt"] for hit in found(shelf, document=[document], version=2)] == [SIXTY]
    body = {"q": "invoices", "document": [document], "version": 1}
    refused = shelf.stack.call("search", "POST", "/api/v1/search", body, tenant=shelf.tenant)
    assert (refused.status, refused.json["code"]) == (409, "document_version_not_searchable")


def test_two_uploads_that_contradict_each_other_are_shown_side_by_side(shelf: Shelf, document: str) -> None:
    manual = shelf.read([SIXTY], filename="manual.pdf")
    (contradiction,) = answered(shelf)["contradictions"]
    assert {statement["text"] for statement in contradiction["statements"]} == {THIRTY, SIXTY}
    shelf.call("DELETE", f"/documents/{manual}")
    assert answered(shelf)["contradictions"] == []
    shelf.settle()
    assert answered(shelf)["contradictions"] == []


def test_who_may_not_read_the_collection_finds_nothing_from_the_next_call_on(shelf: Shelf) -> None:
    ada, bob = colleague(shelf.stack, shelf.tenant), colleague(shelf.stack, shelf.tenant)
    made = ada.made("/collections", {"name": "Board", "visibility": "private"}, slice_name="documents")
    shelf.read([THIRTY], collection_id=made)
    assert len(found(shelf, ada)) == 1
    assert found(shelf, bob) == found(shelf, bob, collection=[made]) == []
    path = f"/collections/{made}/members/{bob.id}"
    assert ada.call("PUT", path, {"right": "read"}, slice_name="documents").status in {200, 201, 204}
    assert len(found(shelf, bob)) == 1
    assert ada.call("DELETE", path, slice_name="documents").status == 204
    assert found(shelf, bob) == []


def test_an_index_with_documents_says_what_their_texts_say(shelf: Shelf, document: str) -> None:
    shelf.read([SIXTY], document=document)
    shelf.read([CRANES, "!damaged", THIRTY], filename="other.pdf")
    verify = shelf.stack.call("search", "POST", "/api/v1/search/verify", {"sample": 50}, tenant=shelf.tenant)
    assert (verify.json["differences"], verify.json["checked"]["documents"]) == ([], 2)
