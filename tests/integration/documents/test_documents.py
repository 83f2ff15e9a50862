"""Documents over HTTP: what is said of them, where they lie, their files and their texts."""

from random import Random
from string import ascii_letters, digits
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from almanac.text.secrets import clean
from documents.services import texts
from tests.integration.documents.people import someone
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.world import TEXT, Library, sha256
from tests.integration.harness import READ, Answer
from tests.support.plain_files import pages

SECRET = "ghp_" + "".join(Random(7).choices(ascii_letters + digits, k=36))


def change(library: Library | Shelf, document: str, **changes: Any) -> Answer:
    edits = library.call("GET", f"/documents/{document}").json["edits"]
    return library.call("PATCH", f"/documents/{document}", {"edits": edits, **changes})


def test_what_is_said_of_a_document_can_be_changed(library: Library) -> None:
    document = library.begin(title="Draft", document_type="plan", metadata={"a": "1"})["id"]
    answer = change(library, document, title="Final", metadata={"b": "2"})
    assert answer.status == 200, answer.text
    assert (answer.json["title"], answer.json["metadata"], answer.json["document_type"]) == (
        "Final",
        {"b": "2"},
        "plan",
    )
    assert change(library, document, document_type=None).json["document_type"] is None


def test_a_change_of_what_was_changed_meanwhile_is_refused(library: Library) -> None:
    document = library.begin()["document"]
    for title, status in (("one", 200), ("two", 409)):
        answer = library.call("PATCH", f"/documents/{document['id']}", {"edits": document["edits"], "title": title})
        assert answer.status == status
    assert (answer.json["code"], answer.json["current_edits"]) == ("version_conflict", 2)


def test_a_job_that_gets_on_does_not_stand_in_the_way_of_an_edit(shelf: Shelf) -> None:
    document = shelf.upload(pages(3))
    edits = shelf.call("GET", f"/documents/{document}").json["edits"]
    shelf.settle()
    assert shelf.call("PATCH", f"/documents/{document}", {"edits": edits, "title": "Plan"}).status == 200


def test_a_reader_changes_nothing(library: Library) -> None:
    document = library.begin()["id"]
    answer = library.call("PATCH", f"/documents/{document}", {"edits": 1, "title": "x"}, scope=READ)
    assert answer.status == 403


@pytest.mark.parametrize("name", ["Scope of work.md", 'Quoted "name" 100%.md', "Überblick 概要.pdf", "a;b,c.md"])
def test_a_file_is_downloaded_as_it_was_uploaded(library: Library, name: str) -> None:
    document = library.upload(filename=name)
    assert library.call("GET", f"/documents/{document}/download").json["code"] == "nothing_uploaded"
    library.arrive()
    answer = library.call("GET", f"/documents/{document}/download", scope=READ)
    assert (answer.status, answer.json["filename"]) == (200, name)
    got = httpx.get(answer.json["url"])
    assert got.content == TEXT
    disposition = got.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert disposition.count('"') == 2, "the name does not end its quotes"


def test_each_version_can_be_downloaded(library: Library) -> None:
    document = library.upload()
    library.arrive()
    library.call("PUT", f"/documents/{document}/content", b"second", query={"filename": "b.md"})
    for version, body in ((None, b"second"), (1, TEXT), (2, b"second")):
        query = {"version": version} if version else {}
        url = library.call("GET", f"/documents/{document}/download", query=query).json["url"]
        assert httpx.get(url).content == body
    assert library.call("GET", f"/documents/{document}/download", query={"version": 3}).status == 404


def test_versions_are_listed_and_shown(library: Library) -> None:
    document = library.upload()
    library.arrive()
    assert [each["version"] for each in library.versions(document)] == [1]
    shown = library.call("GET", f"/documents/{document}/versions/1").json
    assert (shown["sha256"], shown["uploaded_by"], shown["size"]) == (sha256(TEXT), "key_test", len(TEXT))
    missing = library.call("GET", f"/documents/{document}/versions/2")
    assert (missing.status, missing.json["code"]) == (404, "document_version_not_found")


def test_the_text_is_shown_page_by_page(shelf: Shelf) -> None:
    document = shelf.read(pages(30))
    first = shelf.call("GET", f"/documents/{document}/text", query={"last": 7}).json
    assert [(page["number"], page["place"]["label"]) for page in first["items"]][-1] == (7, "page 7")
    assert first["next_first"] is None, "nothing more was asked for"
    middle = shelf.call("GET", f"/documents/{document}/text", query={"first": 19, "last": 22}).json
    assert [page["text"] for page in middle["items"]] == pages(30)[18:22]
    assert shelf.call("GET", f"/documents/{document}/text", query={"first": 31}).json["items"] == []


def test_a_long_text_is_shown_in_portions(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    written = pages(50)
    document = shelf.read(written)
    monkeypatch.setattr(texts, "MOST_PAGES", 20)
    monkeypatch.setattr(texts, "MOST_CHARACTERS", 400)
    found, first = [], 1
    while first:
        portion = shelf.call("GET", f"/documents/{document}/text", query={"first": first}).json
        found += [page["text"] for page in portion["items"]]
        first = portion["next_first"]
    assert found == written


def test_secrets_in_a_text_are_masked(shelf: Shelf) -> None:
    text = f"The token {SECRET} opens the door."
    assert clean(text) != text
    document = shelf.read([text])
    (page,) = shelf.call("GET", f"/documents/{document}/text").json["items"]
    assert page["text"] == clean(text)


def test_the_text_of_an_earlier_version_stays(shelf: Shelf) -> None:
    document = shelf.read(["the first plan"])
    shelf.read(["the second plan", "and more"], document=document)
    newest = shelf.call("GET", f"/documents/{document}/text").json["items"]
    assert [page["text"] for page in newest] == ["the second plan", "and more"]
    (page,) = shelf.call("GET", f"/documents/{document}/text", query={"version": 1}).json["items"]
    assert page["text"] == "the first plan"


def test_a_document_that_is_moved_leaves_its_place_at_once_and_is_found_in_the_new_one(shelf: Shelf) -> None:
    stack, tenant = shelf.stack, shelf.tenant
    old, new = (
        stack.call("projects", "POST", "/api/v1/projects", {"name": name}, tenant=tenant).json["id"]
        for name in ("Old", "New")
    )
    document = shelf.read(pages(3, "elephant"), project_id=old)
    assert set(shelf.found("elephants", project=old)) == {document}
    moved = change(shelf, document, project_id=new)
    assert (moved.status, moved.json["project_id"]) == (200, new)
    assert shelf.found("elephants", project=old) == []
    shelf.settle()
    assert set(shelf.found("elephants", project=new)) == {document}
    assert shelf.found("elephants", project=old) == []
    assert len(shelf.shown(document)) == 3
    text = shelf.call("GET", f"/documents/{document}/text").json["items"]
    assert [page["text"] for page in text] == pages(3, "elephant")


def test_a_document_in_a_private_collection_is_nowhere_to_who_is_not_in_it(library: Library) -> None:
    ada, eve = someone(library.stack, library.tenant), someone(library.stack, library.tenant)
    collection = ada.private()
    document = library.upload()
    library.arrive()
    assert eve.call("GET", f"/documents/{document}").status == 200
    moved = ada.call("PATCH", f"/documents/{document}", {"edits": 1, "collection_id": collection})
    assert (moved.status, moved.json["collection_id"]) == (200, collection)
    nothing = eve.call("GET", "/documents/doc_01k9zq3v7m8x2c4b6n0d1f5g7h").json
    for path in ("", "/text", "/download", "/versions", "/versions/1"):
        answer = eve.call("GET", f"/documents/{document}{path}")
        assert (answer.status, answer.json["detail"]) == (404, nothing["detail"])
    back = {"edits": 2, "collection_id": None}
    assert eve.call("PATCH", f"/documents/{document}", back).status == 404
    assert ada.call("PATCH", f"/documents/{document}", back).status == 200
    assert eve.call("GET", f"/documents/{document}").status == 200


def test_a_document_moves_only_to_where_its_mover_may_write(library: Library) -> None:
    ada, bob = someone(library.stack, library.tenant), someone(library.stack, library.tenant)
    seen, hidden = ada.private(), ada.private("Hidden")
    assert ada.lets_in(seen, bob, "read").status in {200, 201}
    document = bob.call("POST", "/documents", {"filename": "a.md"}).json["id"]
    for collection, code in ((seen, "collection_read_only"), (hidden, "collection_not_found")):
        answer = bob.call("PATCH", f"/documents/{document}", {"edits": 1, "collection_id": collection})
        assert answer.json["code"] == code


def test_a_document_does_not_move_to_where_its_bytes_are_already(library: Library) -> None:
    project = library.project()
    there = library.upload(project_id=project)
    here = library.upload()
    library.arrive()
    answer = change(library, here, project_id=project)
    assert (answer.status, answer.json["code"], answer.json["document_id"]) == (409, "duplicate_document", there)


def test_bytes_go_with_the_document_that_is_moved(library: Library) -> None:
    project = library.project()
    document = library.upload()
    library.arrive()
    assert change(library, document, project_id=project).status == 200
    there = library.call("POST", "/documents", {"filename": "x.md", "sha256": sha256(TEXT), "project_id": project})
    assert (there.status, there.json["id"]) == (200, document)
    assert library.begin(sha256=sha256(TEXT))["id"] != document


def test_a_document_of_a_deleted_project_is_gone(library: Library) -> None:
    project = library.project()
    document = library.upload(project_id=project)
    library.arrive()
    assert library.call("DELETE", f"/projects/{project}", slice_name="projects").status == 204
    for path in ("", "/text", "/download", "/versions"):
        assert library.call("GET", f"/documents/{document}{path}").status == 404


def test_another_tenants_documents_do_not_exist(library: Library, other: Library) -> None:
    document = library.upload()
    library.arrive()
    for path in ("", "/text", "/download", "/versions", "/versions/1"):
        assert other.call("GET", f"/documents/{document}{path}").status == 404
    assert other.call("PATCH", f"/documents/{document}", {"edits": 1, "title": "x"}).status == 404


def test_a_text_is_not_shown_to_whom_it_was_hidden_from_meanwhile(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody moves the document into a private collection after the first look at the rights."""
    ada, eve = someone(shelf.stack, shelf.tenant), someone(shelf.stack, shelf.tenant)
    collection = ada.private()
    document = shelf.read(pages(1))
    read = texts.TextService._read

    async def moved_first(service: texts.TextService, *given: Any) -> Any:
        store = service._store
        before = await store.get(document)
        assert before is not None
        await store.save(before, "test", collection_id=collection)
        return await read(service, *given)

    monkeypatch.setattr(texts.TextService, "_read", moved_first)
    assert eve.call("GET", f"/documents/{document}/text").status == 404


@pytest.mark.parametrize("nonsense", ["x", "doc_1", "doc_01k9zq3v7m8x2c4b6n0d1f5g7h#VERSION", "d" * 3000])
def test_what_is_no_id_is_no_document(library: Library, nonsense: str) -> None:
    for path in ("", "/text", "/download", "/versions", "/versions/1"):
        assert library.call("GET", f"/documents/{quote(nonsense)}{path}").status == 404


def test_search_shows_the_new_title_of_a_document(shelf: Shelf) -> None:
    document = shelf.read(pages(2, "elephant"), title="Draft")
    assert change(shelf, document, title="Final").status == 200
    assert shelf.call("GET", f"/documents/{document}").json["state"] == "ready"
    shelf.settle()
    answer = shelf.stack.call("search", "GET", "/api/v1/search", tenant=shelf.tenant, query={"q": "elephants"})
    assert {hit["title"] for hit in answer.json["items"]} == {"Final"}
    assert len(shelf.shown(document)) == 2
