"""Deletions over HTTP: what is gone at once, what is gone in the end, and what the receipt says of it."""

from typing import Any

import pytest

from almanac.aws import keys
from almanac.events import DeleteDocument
from almanac.ids import new_id
from documents.deletion import removal
from documents.model import DocumentState
from documents.store import DocumentStore
from tests.integration.documents.people import send, someone
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.world import TEXT, Library
from tests.support.plain_files import pages


def removed(answer: dict[str, Any]) -> dict[str, int]:
    return {each["what"]: each["count"] for each in answer["removed"]}


def receipt(shelf: Shelf, document: str) -> dict[str, Any]:
    answer = shelf.call("GET", f"/documents/{document}/receipt")
    assert answer.status == 200, answer.text
    shown: dict[str, Any] = answer.json
    return shown


def objects(shelf: Shelf, document: str) -> list[str]:
    """Return every version of every object of a document, marks of deletions too."""
    prefix = keys.document_prefix(shelf.tenant, document)
    answer = shelf.stack.client("s3").list_object_versions(Bucket="almanac", Prefix=prefix)
    return [entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in answer.get(kind, [])]


def rows(shelf: Shelf, document: str) -> set[str]:
    """Return the kinds of the tenant's rows that name a document."""
    scanned = shelf.stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
    found = [item for page in scanned for item in page["Items"]]
    mine = [item for item in found if item["pk"]["S"].startswith(f"TENANT#{shelf.tenant}")]
    return {item["entity"]["S"] for item in mine if document in item["pk"]["S"] + item["sk"]["S"]}


def test_a_document_is_gone_from_readers_and_search_before_any_worker_runs(shelf: Shelf) -> None:
    document, other = shelf.read(pages(3)), shelf.read(pages(2, "elephant"))
    answer = shelf.call("DELETE", f"/documents/{document}")
    assert (answer.status, answer.json["state"]) == (202, "removing")
    assert answer.headers["location"] == f"/api/v1/documents/{document}/receipt"
    assert shelf.call("GET", f"/documents/{document}").status == 404
    assert [item["id"] for item in shelf.call("GET", "/documents").json["items"]] == [other]
    assert document not in shelf.found("number2 page")
    assert shelf.call("DELETE", f"/documents/{document}").status == 404


def test_everything_of_a_document_is_removed_and_the_receipt_says_what(shelf: Shelf) -> None:
    document = shelf.read(pages(3))
    shelf.read([*pages(2), "something else"], document=document)
    first = shelf.call("DELETE", f"/documents/{document}").json
    shelf.settle()
    assert objects(shelf, document) == []
    assert rows(shelf, document) <= {"document_receipt", "topic_event", "topic_head", "topic_last"}
    assert shelf.items("vector") == []
    assert shelf.items("index_drop") == []
    assert [tuple(item["versions"].values()) for item in shelf.items("index_tombstones")] == [(2, 2, 2)]
    assert shelf.shown(document) == {}
    done = receipt(shelf, document)
    assert (done["state"], done["settles_at"]) == ("done", None)
    assert {what: removed(done)[what] for what in ("file", "version", "chunk", "vector")} == {
        "file": 2,
        "version": 2,
        "chunk": 6,
        "vector": 4,
    }
    assert done["requested_at"] == first["requested_at"]
    lasting = {each["what"]: each["last_copy_until"] for each in done["removed"]}
    assert lasting["file"] is None
    assert done["last_copy_until"] == lasting["vector"] > lasting["chunk"] > done["finished_at"]


def test_the_bytes_of_a_deleted_document_count_for_its_tenant_no_more(shelf: Shelf) -> None:
    kept, document = shelf.read(["kept"]), shelf.read(pages(2))
    (usage,) = shelf.items("usage")
    assert usage["document_bytes"] > 4
    shelf.call("DELETE", f"/documents/{document}")
    shelf.settle()
    (usage,) = shelf.items("usage")
    assert usage["document_bytes"] == 4
    assert shelf.document(kept).state is DocumentState.READY


def test_what_another_document_shares_with_a_deleted_one_stays_searchable(shelf: Shelf) -> None:
    document, other = shelf.read([*pages(2), "mine"]), shelf.read([*pages(2), "yours"])
    shelf.call("DELETE", f"/documents/{document}")
    shelf.settle()
    assert len(shelf.shown(other)) == 3
    assert set(shelf.found("number1 page")) == {other}


def test_the_same_file_can_be_uploaded_again_after_a_deletion(shelf: Shelf) -> None:
    document = shelf.read(pages(2))
    shelf.call("DELETE", f"/documents/{document}")
    shelf.settle()
    again = shelf.read(pages(2))
    assert again != document
    assert len(shelf.shown(again)) == 2


def test_a_failed_document_is_deleted_like_any_other(shelf: Shelf) -> None:
    document = shelf.read(pages(2), kind="%broken corrupt")
    assert shelf.document(document).state is DocumentState.FAILED
    assert shelf.call("DELETE", f"/documents/{document}").status == 202
    finish(shelf, document)
    assert objects(shelf, document) == []
    assert receipt(shelf, document)["state"] == "done"


def test_a_document_whose_file_never_came_is_deleted(library: Library) -> None:
    document = library.begin()["id"]
    assert library.call("DELETE", f"/documents/{document}").status == 202
    library.stack.drain()
    assert library.call("GET", f"/documents/{document}/receipt").json["state"] == "done"
    assert library.item(keys.document(library.tenant, document)) is None


def test_parts_of_an_upload_that_had_begun_are_removed(library: Library) -> None:
    begun = library.begin(size=200 * 1024 * 1024)
    assert begun["upload"]["mode"] == "multipart"
    s3 = library.stack.client("s3")
    prefix = keys.document_prefix(library.tenant, begun["id"])
    (upload,) = s3.list_multipart_uploads(Bucket="almanac", Prefix=prefix)["Uploads"]
    assert upload["Key"] == library.original(begun["id"])
    assert library.call("DELETE", f"/documents/{begun['id']}").status == 202
    library.stack.drain()
    assert s3.list_multipart_uploads(Bucket="almanac", Prefix=prefix).get("Uploads", []) == []


def test_a_file_that_arrives_after_the_deletion_is_removed(library: Library) -> None:
    begun = library.begin(size=len(TEXT))
    library.call("DELETE", f"/documents/{begun['id']}")
    library.stack.drain()
    assert library.post(begun["upload"], TEXT) == 204
    library.arrive()
    library.stack.drain()
    assert library.objects(begun["id"]) == []
    assert library.call("GET", f"/documents/{begun['id']}").status == 404


def test_a_deletion_looks_again_when_what_was_running_has_ended(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    document = shelf.upload(pages(30))
    shelf.step("Arrivals")
    shelf.step("Documents")
    assert shelf.document(document).state is DocumentState.PROCESSING
    assert shelf.call("DELETE", f"/documents/{document}").status == 202
    shelf.settle()
    assert [key for key in objects(shelf, document) if "/text/" not in key] == []
    assert receipt(shelf, document)["state"] == "settling"
    late = keys.document_text(shelf.tenant, document, 1, 2)
    shelf.stack.client("s3").put_object(Bucket="almanac", Key=late, Body=b"late")
    finish(shelf, document)
    assert objects(shelf, document) == []
    done = receipt(shelf, document)
    assert done["state"] == "done"
    assert done["finished_at"] is not None
    assert shelf.shown(document) == {}
    assert shelf.awaited() == []
    assert shelf.items("vector") == []


def test_the_receipt_is_for_who_deleted_and_for_who_sees_where_the_document_was(library: Library) -> None:
    ada, bob = (someone(library.stack, library.tenant) for _ in range(2))
    collection = ada.private()
    ada.lets_in(collection, bob)
    carol = someone(library.stack, library.tenant)
    document = ada.call("POST", "/documents", {"filename": "a.md", "collection_id": collection}).json["id"]
    path = f"/documents/{document}/receipt"
    assert ada.call("GET", path).json["code"] == "document_not_deleted"
    assert carol.call("GET", path).json["code"] == "receipt_not_found"
    assert ada.call("DELETE", f"/documents/{document}").status == 202
    assert [who.call("GET", path).status for who in (ada, bob, carol)] == [200, 200, 404]
    assert carol.call("GET", path).json["code"] == "receipt_not_found"
    assert ada.call("DELETE", f"/collections/{collection}").status == 204
    library.stack.drain()
    assert [who.call("GET", path).status for who in (ada, bob, carol)] == [200, 404, 404]
    assert ada.call("GET", f"/documents/{new_id('doc')}/receipt").json["code"] == "receipt_not_found"


def finish(shelf: Shelf, document: str) -> None:
    """Let the time pass that a deletion waits, and ask for its last look."""
    shelf.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(removal, "now", lambda: "2100-01-01T00:00:00.000Z")
        send(DeleteDocument(tenant_id=shelf.tenant, correlation_id="test", document_id=document))
        shelf.settle()
    assert shelf.run(DocumentStore(shelf.store.table, shelf.tenant).get(document)) is None
