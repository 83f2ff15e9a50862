"""A tenant's documents leave it with everything that belongs to them, and can be read again where they come in."""

import base64
import gzip
import hashlib
import json
import random
from itertools import count
from typing import Any

import httpx
import pytest

from almanac.access import Caller, Role
from almanac.aws.blobs import Blobs
from almanac.errors import TerminalError
from identity.exports import documents as exports_of_documents
from identity.exports.model import Export
from identity.exports.repository import ExportRepository
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.world import Library
from tests.integration.harness import Stack
from tests.integration.identity.test_exports import asked, downloaded, lines, shown, write
from tests.integration.identity.test_imports import begin, start, upload
from tests.support.plain_files import PlainReader, file_of, pages

PIECE = 8 << 20
Archive = dict[str, bytes]


def exported(shelf: Shelf) -> Archive:
    owner = shelf.stack.member(shelf.tenant, Role.OWNER)
    export = asked(shelf.stack, owner)
    write(shelf.stack)
    answer = shown(shelf.stack, owner, export)
    assert answer["state"] == "ready", answer
    return downloaded(answer["files"])


@pytest.fixture
def owner(stack: Stack) -> Caller:
    return stack.member(stack.tenant("New"), Role.OWNER)


@pytest.fixture
def there(stack: Stack, owner: Caller, reader: PlainReader) -> Shelf:
    """Return the tenant that archives are imported into."""
    assert owner.principal is not None
    return Shelf(stack, owner.principal.tenant_id, reader)


def imported(there: Shelf, owner: Caller, archive: Archive) -> Any:
    created = begin(there.stack, owner, archive)
    assert created.status == 201, created.text
    upload(created.json, archive)
    done = start(there.stack, owner, created.json)
    there.settle()
    return done


def told(shelf: Shelf, path: str, **query: Any) -> Any:
    answer = shelf.call("GET", path, query=query)
    assert answer.status == 200, answer.text
    return answer.json


def file_at(shelf: Shelf, document: str, version: int) -> bytes:
    answer = shelf.call("GET", f"/documents/{document}/download", query={"version": version})
    assert answer.status in {200, 302, 307}, answer.text
    return httpx.get(answer.json["url"]).content


def altered(archive: Archive, change: Any) -> Archive:
    """Return an archive whose lines somebody changed, with a manifest that vouches for them."""
    manifest, found = json.loads(archive["manifest.json"]), {}
    for part in manifest["parts"]:
        members = [change(json.loads(line)) for line in gzip.decompress(archive[part["name"]]).splitlines()]
        body = gzip.compress("".join(json.dumps(member) + "\n" for member in members).encode())
        part |= {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
        found[part["name"]] = body
    return {**found, "manifest.json": json.dumps(manifest).encode()}


def test_documents_come_in_as_they_went_out(shelf: Shelf, there: Shelf, owner: Caller) -> None:
    library = Library(shelf.stack, shelf.tenant)
    project = library.project()
    asked_for = {"name": "Board", "project_id": project, "visibility": "private"}
    ada = shelf.stack.member(shelf.tenant, Role.ADMIN)
    collection = shelf.call("POST", "/collections", asked_for, caller=ada).json["id"]
    document = shelf.read(pages(8, "elephant"), collection_id=collection, title="Plan")
    shelf.read(pages(7, "giraffe"), document=document)
    edits = told(shelf, f"/documents/{document}")["edits"]
    shelf.call("PATCH", f"/documents/{document}", {"edits": edits, "metadata": {"set": "first"}})
    done = imported(there, owner, exported(shelf))
    assert (done["state"], done["cause"]) == ("done", None)
    for path in (
        f"/documents/{document}/versions",
        f"/documents/{document}/text",
        f"/collections/{collection}",
        f"/collections/{collection}/members",
    ):
        assert told(there, path) == told(shelf, path), path
    difference = told(shelf, f"/documents/{document}/diff", **{"from": 1, "to": 2})
    assert told(there, f"/documents/{document}/diff", **{"from": 1, "to": 2}) == difference
    names = ("title", "metadata", "state", "version", "shown_version", "sha256", "project_id", "collection_id")
    before, after = told(shelf, f"/documents/{document}"), told(there, f"/documents/{document}")
    assert [after[name] for name in names] == [before[name] for name in names]
    assert after["metadata"] == {"set": "first"}
    for version, texts in ((1, pages(8, "elephant")), (2, pages(7, "giraffe"))):
        assert file_at(there, document, version) == file_of(texts)
    assert there.shown(document) == shelf.shown(document) == dict(enumerate(pages(7, "giraffe"), start=1))
    assert there.found("giraffe") == [document] * len(there.found("giraffe")) != []
    outsider = there.stack.member(there.tenant, Role.MEMBER)
    assert there.call("GET", f"/documents/{document}", caller=outsider).status == 404


def test_a_document_that_came_in_goes_on_like_any_other(shelf: Shelf, there: Shelf, owner: Caller) -> None:
    document = shelf.read(pages(3, "old"))
    imported(there, owner, exported(shelf))
    assert Library(there.stack, there.tenant).used_bytes() == len(file_of(pages(3, "old")))
    assert there.upload(pages(3, "old")) == document, "its bytes are known there"
    there.read(pages(5, "new"), document=document)
    assert there.shown(document) == dict(enumerate(pages(5, "new"), start=1))
    there.reprocess(document)
    there.settle()
    assert told(there, f"/documents/{document}")["state"] == "ready"
    assert there.call("DELETE", f"/documents/{document}").status == 202
    there.settle()
    assert (there.shown(document), Library(there.stack, there.tenant).used_bytes()) == ({}, 0)


def test_a_large_file_goes_in_pieces_and_comes_together(shelf: Shelf, there: Shelf, owner: Caller) -> None:
    body = random.Random(7).randbytes(PIECE + 70_000)
    library = Library(shelf.stack, shelf.tenant)
    document = library.upload(body, "film.bin", content_type="application/octet-stream")
    shelf.settle()
    assert told(shelf, f"/documents/{document}")["state"] == "failed"
    archive = exported(shelf)
    pieces = [line for line in lines(archive) if "file" in line]
    assert [(line["piece"], len(base64.b64decode(line["body"]))) for line in pieces] == [(0, PIECE), (1, 70_000)]
    assert imported(there, owner, archive)["state"] == "done"
    assert file_at(there, document, 1) == body


def test_an_export_that_is_cut_off_has_each_piece_of_each_file_once(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [pages(8, word) for word in ("one", "two")]
    documents = [shelf.read(each) for each in texts]
    save, calls = ExportRepository.save, count(1)

    async def dies_at_times(exports: ExportRepository, export: Export) -> None:
        if next(calls) in {2, 5, 8}:
            raise OSError("killed before it was written down")
        await save(exports, export)

    monkeypatch.setattr(exports_of_documents, "PIECE_BYTES", 200)
    monkeypatch.setattr(exports_of_documents, "PART_OBJECTS", 2)
    monkeypatch.setattr(ExportRepository, "save", dies_at_times)
    found = lines(exported(shelf))
    assert next(calls) > 9
    pieces: dict[str, list[bytes]] = {}
    for line in found:
        if "file" in line:
            assert line["piece"] == len(pieces.setdefault(line["file"].split("/")[3], []))
            pieces[line["file"].split("/")[3]].append(base64.b64decode(line["body"]))
    expected = zip(documents, texts, strict=True)
    assert {name: b"".join(each) for name, each in pieces.items()} == {name: file_of(each) for name, each in expected}
    objects = [line["object"] for line in found if "object" in line]
    assert len(objects) == len(set(objects)) > 0


def test_what_was_being_read_can_be_read_again_where_it_comes_in(shelf: Shelf, there: Shelf, owner: Caller) -> None:
    document = shelf.upload(pages(30))
    shelf.step("Arrivals")
    shelf.step("Documents")
    imported(there, owner, exported(shelf))
    stopped = told(there, f"/documents/{document}")
    assert (stopped["state"], stopped["cause"]["code"], stopped["job"]) == ("failed", "imported", None)
    assert there.reprocess(document).status == 202
    there.settle()
    assert there.shown(document) == dict(enumerate(pages(30), start=1))


def test_nothing_of_a_deleted_document_is_in_an_archive(shelf: Shelf) -> None:
    document = shelf.upload(pages(30, "secretive"))
    for queue in ("Arrivals", "Documents", "Embedding"):
        shelf.step(queue)
    shelf.call("DELETE", f"/documents/{document}")
    kinds = {line["attributes"]["entity"] for line in lines(exported(shelf)) if "row" in line}
    assert not kinds & {"document", "document_version", "document_part", "document_analysis"}
    assert not [line for line in lines(exported(shelf)) if document in line.get("file", line.get("object", ""))]


def moved(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "file": line["file"].replace("versions/000001", "versions/../../..")} if "file" in line else line


def swollen(line: dict[str, Any]) -> dict[str, Any]:
    bomb = base64.b64encode(gzip.compress(bytes(100 << 20))).decode()
    return {**line, "body": bomb} if "/text/" in line.get("object", "") else line


def numbered(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "piece": 10**6} if "file" in line else line


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (moved, "a file lies where none may"),
        (swollen, "expands to more than it may hold"),
        (numbered, "it is no piece of a file"),
    ],
)
def test_an_archive_with_what_no_document_has_is_refused_whole(
    change: Any, cause: str, shelf: Shelf, there: Shelf, owner: Caller
) -> None:
    shelf.read(pages(3))
    failed = imported(there, owner, altered(exported(shelf), change))
    assert failed["state"] == "failed"
    assert failed["cause"].endswith(cause)
    assert told(there, "/documents")["items"] == []


def test_an_import_that_begins_again_counts_each_file_once(
    shelf: Shelf, there: Shelf, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [pages(3, word) for word in ("one", "two", "three")]
    documents = [shelf.read(each) for each in texts]
    archive, end, left = exported(shelf), Blobs.end_parts, iter([True, False])

    async def fails_second(blobs: Blobs, *given: Any) -> None:
        if not next(left, True):
            raise TerminalError("disk_full", "there is no room")
        await end(blobs, *given)

    monkeypatch.setattr(Blobs, "end_parts", fails_second)
    created = begin(there.stack, owner, archive).json
    upload(created, archive)
    assert start(there.stack, owner, created)["state"] == "failed"
    assert Library(there.stack, there.tenant).used_bytes() == len(file_of(texts[0]))
    assert start(there.stack, owner, created)["state"] == "done"
    assert [file_at(there, each, 1) for each in documents] == [file_of(each) for each in texts]
    assert Library(there.stack, there.tenant).used_bytes() == sum(len(file_of(each)) for each in texts)


def test_a_file_that_is_not_its_versions_is_not_taken(shelf: Shelf, there: Shelf, owner: Caller) -> None:
    def other(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "body": base64.b64encode(b"other bytes").decode()} if "file" in line else line

    document = shelf.read(pages(3))
    failed = imported(there, owner, altered(exported(shelf), other))
    assert failed["state"] == "failed"
    assert "is not the one that was uploaded" in failed["cause"]
    assert Library(there.stack, there.tenant).used_bytes() == 0
    assert not [key for key in Library(there.stack, there.tenant).objects(document) if key.endswith("original")]
