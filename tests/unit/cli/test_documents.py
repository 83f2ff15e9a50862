"""`almanac documents`, `collections` and `commitments`: what each asks of the API, and what a person is shown."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli, FakeApi

PATH = "/api/v1/documents/doc_1"
COLLECTIONS = "/api/v1/collections"
COLLECTION = {
    "id": "col_1",
    "name": "legal",
    "description": "",
    "visibility": "private",
    "project_id": "",
    "version": 2,
}
DOCUMENT = {
    "id": "doc_1",
    "title": "Plan",
    "filename": "plan.pdf",
    "state": "partial",
    "version": 2,
    "size": 10,
    "edits": 7,
    "cause": None,
    "bad_pages": [{"number": 3, "label": "page iii", "code": "corrupt", "message": "It is damaged."}],
}


def test_the_list_is_narrowed_by_names_that_people_use(cli: Cli, api: FakeApi) -> None:
    api.items("/api/v1/documents", DOCUMENT)
    api.items(COLLECTIONS, COLLECTION)
    found = cli.json("documents", "list", "--collection", "legal", "--state", "partial", "--name", "plan")["items"]
    assert found == [DOCUMENT]
    (asked,) = api.sent("GET", "/api/v1/documents")
    assert asked.query == {"collection_id": ["col_1"], "state": ["partial"], "q": ["plan"], "limit": ["100"]}


def test_a_page_that_could_not_be_read_is_named_as_readers_know_it(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", PATH, DOCUMENT)
    assert "page iii: It is damaged." in cli.run("documents", "show", "doc_1").stdout


def test_a_download_stays_in_the_directory_and_replaces_nothing(
    cli: Cli, api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    signed = {"url": f"{api.url}/store", "filename": "..\\../plan.pdf", "expires_at": "2026-01-31T12:00:00.000Z"}
    api.answer("GET", f"{PATH}/download", signed)
    api.answer("GET", "/store", b"%PDF")
    assert cli.json("documents", "download", "doc_1", "--version", "1")["bytes"] == 4
    assert (tmp_path / "inside" / "plan.pdf").read_bytes() == b"%PDF"
    assert api.sent("GET", f"{PATH}/download")[0].query == {"version": ["1"]}
    assert "authorization" not in api.sent("GET", "/store")[0].headers
    assert cli.run("documents", "download", "doc_1").exit_code == 2


def test_a_lost_download_leaves_no_file(cli: Cli, api: FakeApi, tmp_path: Path) -> None:
    api.answer("GET", f"{PATH}/download", {"url": f"{api.url}/gone", "filename": "plan.pdf"})
    target = tmp_path / "plan.pdf"
    assert cli.run("documents", "download", "doc_1", "--output", str(target)).exit_code == 1
    assert list(tmp_path.glob("plan*")) == []


def test_a_move_is_of_the_document_as_it_was_seen(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", PATH, DOCUMENT)
    api.answer("PATCH", PATH, DOCUMENT)
    api.answer("GET", f"{COLLECTIONS}/col_1", COLLECTION)
    cli.json("documents", "move", "doc_1", "--collection", "col_1")
    cli.json("documents", "move", "doc_1", "--out")
    moved, out = (request.json for request in api.sent("PATCH", PATH))
    assert (moved["edits"], moved["collection_id"]) == (7, "col_1")
    assert (out["edits"], out["collection_id"], out["project_id"]) == (7, None, None)
    assert cli.run("documents", "move", "doc_1").exit_code == 2


def test_a_password_is_taken_from_standard_input_and_not_shown(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{PATH}/reprocess", {**DOCUMENT, "state": "processing"}, status=202)
    result = cli.run("documents", "reprocess", "doc_1", "--password-prompt", stdin="hunter2\n")
    assert (result.exit_code, "hunter2" in result.output) == (0, False)
    assert api.sent("POST", f"{PATH}/reprocess")[0].json == {"password": "hunter2"}


def test_what_is_no_id_cannot_lead_elsewhere(cli: Cli, api: FakeApi) -> None:
    assert cli.run("documents", "delete", "../projects/prj_1").exit_code != 0
    (sent,) = [request.path for request in api.requests if request.method == "DELETE"]
    assert sent == "/api/v1/documents/..%2Fprojects%2Fprj_1"


def test_members_of_a_collection_are_let_in_with_a_right(cli: Cli, api: FakeApi) -> None:
    path = f"{COLLECTIONS}/col_1/members"
    member: dict[str, Any] = {"actor_id": "usr_1", "right": "write", "added_at": "2026-01-31T12:00:00.000Z"}
    api.items(COLLECTIONS, COLLECTION)
    api.items(path, member)
    api.answer("PUT", f"{path}/usr_1", member)
    api.answer("DELETE", f"{path}/usr_1", None, status=204)
    cli.json("collections", "add", "legal", "usr_1", "--right", "write")
    assert api.sent("PUT", f"{path}/usr_1")[0].json == {"right": "write"}
    assert cli.json("collections", "members", "legal")["items"] == [member]
    assert cli.json("collections", "remove", "legal", "usr_1")["status"] == "removed"


def test_a_collection_is_changed_at_the_version_that_was_read(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{COLLECTIONS}/col_1", COLLECTION)
    api.answer("PATCH", f"{COLLECTIONS}/col_1", COLLECTION)
    cli.json("collections", "update", "col_1", "--visibility", "tenant")
    assert api.sent("PATCH", f"{COLLECTIONS}/col_1")[0].json == {"version": 2, "visibility": "tenant"}
    assert cli.run("collections", "update", "col_1").exit_code == 2


def test_a_collection_goes_with_its_documents_only_when_that_is_said(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{COLLECTIONS}/col_1", COLLECTION)
    api.answer("DELETE", f"{COLLECTIONS}/col_1", None, status=204)
    cli.json("collections", "delete", "col_1")
    cli.json("collections", "delete", "col_1", "--documents")
    plain, whole = (request.query for request in api.sent("DELETE", f"{COLLECTIONS}/col_1"))
    assert (plain, whole) == ({}, {"documents": ["delete"]})
