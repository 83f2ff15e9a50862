"""Two versions compared over HTTP, from the texts that the worker left."""

from typing import Any

import pytest

from documents.diff import service
from tests.integration.documents.people import someone
from tests.integration.documents.shelf import Shelf
from tests.integration.harness import Answer
from tests.integration.projects.people import colleague

SCOPE = "The contractor delivers two cranes to the northern yard."
TERMS = "Payment is due net 30 after the invoice was received."
LAW = "This contract is governed by the law of the Netherlands."


def diff(shelf: Shelf, document: str, before: int = 1, after: int = 2, **query: Any) -> Answer:
    return shelf.call("GET", f"/documents/{document}/diff", query={"from": before, "to": after, **query})


@pytest.fixture
def document(shelf: Shelf) -> str:
    """Return a document in three versions."""
    made = shelf.read([SCOPE, LAW, TERMS])
    shelf.read([SCOPE, LAW, TERMS.replace("30", "45")], document=made)
    shelf.read(
        [LAW, TERMS.replace("30", "60"), f"{SCOPE}\n\nA fourth clause, about insurance of the cranes."], document=made
    )
    return made


def test_what_changed_is_told_in_words_and_shown_in_passages(shelf: Shelf, document: str) -> None:
    answer = diff(shelf, document)
    assert answer.status == 200, answer.text
    assert answer.json["summary"] == ["1 passage differs: 1 changed.", 'page 3: "net 30" became "net 45"']
    assert answer.json["counts"] == {"added": 0, "removed": 0, "changed": 1, "moved": 0}
    assert answer.json["items"] == [
        {
            "kind": "changed",
            "says": 'page 3: "net 30" became "net 45"',
            "before": {"page": 3, "label": "page 3", "text": TERMS, "marks": [[19, 21]], "whole": True},
            "after": {
                "page": 3,
                "label": "page 3",
                "text": TERMS.replace("30", "45"),
                "marks": [[19, 21]],
                "whole": True,
            },
        }
    ]
    assert (answer.json["from_version"], answer.json["to_version"], answer.json["next_cursor"]) == (1, 2, None)


def test_versions_are_compared_across_others_and_backwards(shelf: Shelf, document: str) -> None:
    forward = diff(shelf, document, 1, 3).json
    assert {item["kind"] for item in forward["items"]} == {"moved", "changed", "added"}
    assert 'page 2 (page 3 before): "net 30" became "net 60"' in forward["summary"]
    assert 'page 2: "net 60"' not in str(forward)
    backward = diff(shelf, document, 3, 1).json
    assert backward["counts"] == {"added": 0, "removed": 1, "changed": 1, "moved": 1}
    assert diff(shelf, document, 2, 2).json["summary"] == ["The text is the same."]


def test_a_long_list_goes_on_with_a_cursor_that_is_of_these_versions(shelf: Shelf, document: str) -> None:
    first = diff(shelf, document, 1, 3, limit=2).json
    rest = diff(shelf, document, 1, 3, limit=2, cursor=first["next_cursor"]).json
    assert first["items"] + rest["items"] == diff(shelf, document, 1, 3).json["items"]
    assert (rest["next_cursor"], rest["summary"]) == (None, first["summary"])
    for foreign in (diff(shelf, document, 1, 2, cursor=first["next_cursor"]), diff(shelf, document, cursor="x")):
        assert (foreign.status, foreign.json["code"]) == (400, "invalid_cursor")


def test_a_version_without_text_says_why(shelf: Shelf, document: str) -> None:
    shelf.read(["x"], kind="%broken corrupt", document=document)
    answer = diff(shelf, document, 1, 4)
    assert (answer.status, answer.json["code"]) == (409, "version_without_text")
    assert answer.json["cause"]["code"] == "corrupt"
    assert answer.json["errors"][0]["field"] == "query.to"


def test_a_version_that_is_being_read_is_not_compared_yet(shelf: Shelf, document: str) -> None:
    shelf.upload(["y"], document=document)
    shelf.step("Arrivals")
    answer = diff(shelf, document, 4, 1)
    assert (answer.status, answer.json["errors"][0]["field"]) == (409, "query.from")
    assert "`processing`" in answer.json["detail"]


def test_documents_and_versions_that_are_not_there_answer_alike(shelf: Shelf, document: str) -> None:
    absent = diff(shelf, document, 1, 9)
    assert (absent.status, absent.json["code"]) == (404, "document_version_not_found")
    never = diff(shelf, "doc_01k9zq3v7m8x2c4b6n0d1f5g7h")
    assert (never.status, never.json["code"]) == (404, "document_not_found")
    for query in ({}, {"from": 1}, {"from": 0, "to": 1}, {"from": 1, "to": "x"}):
        assert shelf.call("GET", f"/documents/{document}/diff", query=query).status == 422


def test_who_may_not_read_a_document_may_not_compare_it(shelf: Shelf) -> None:
    ada, bob = colleague(shelf.stack, shelf.tenant), colleague(shelf.stack, shelf.tenant)
    made = ada.made("/collections", {"name": "Board", "visibility": "private"}, slice_name="documents")
    document = shelf.read([SCOPE], collection_id=made)
    shelf.read([TERMS], document=document)
    path = f"/documents/{document}/diff"
    assert ada.call("GET", path, slice_name="documents", query={"from": 1, "to": 2}).status == 200
    hidden = bob.call("GET", path, slice_name="documents", query={"from": 1, "to": 2})
    assert (hidden.status, hidden.json["code"]) == (404, "document_not_found")


def test_a_comparison_is_not_shown_to_whom_it_was_hidden_from_meanwhile(
    shelf: Shelf, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody moves the document into a private collection after the first look at the rights."""
    ada, eve = someone(shelf.stack, shelf.tenant), someone(shelf.stack, shelf.tenant)
    collection, read = ada.private(), service.DiffService._texts

    async def moved_first(diffs: service.DiffService, *given: Any) -> Any:
        before = await diffs._store.get(document)
        assert before is not None
        await diffs._store.save(before, "test", collection_id=collection)
        return await read(diffs, *given)

    monkeypatch.setattr(service.DiffService, "_texts", moved_first)
    assert eve.call("GET", f"/documents/{document}/diff", query={"from": 1, "to": 2}).status == 404


def test_secrets_are_masked_on_both_sides(shelf: Shelf) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"[:36]
    document = shelf.read([f"The crane opens with {token} on Mondays."])
    shelf.read([f"The crane opens with {token} on Tuesdays."], document=document)
    answer = diff(shelf, document)
    assert token not in answer.text
    assert answer.json["summary"][1] == 'page 1: "on Mondays" became "on Tuesdays"'


def test_what_is_too_long_for_one_call_is_refused_with_a_way_out(
    shelf: Shelf, document: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_CHARACTERS", 50)
    answer = diff(shelf, document)
    assert (answer.status, answer.json["code"]) == (422, "too_long_to_compare")
    assert "/text" in answer.json["detail"]
