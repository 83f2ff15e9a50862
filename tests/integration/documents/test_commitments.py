"""Analyses and commitments as callers get them: what they do not see is in neither."""

from typing import Any

import pytest

from almanac.access import Role
from almanac.ids import new_id
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.written import Writer
from tests.integration.harness import Stack
from tests.support.plain_files import pages

PROMISE = "Date: 2 March 2026\n\n## Action items\n- Ann: send the signed contract to Acme by 20 March 2026\n"
DONE = "Date: 9 March 2026\n\nThe signed contract was sent to Acme.\n"
LATER = "Date: 16 March 2026\n\nACTION: Bob: order the servers by 30 March 2026\n"


@pytest.fixture
def writer(stack: Stack) -> Writer:
    writer = Writer(stack, stack.tenant())
    writer.make_project()
    return writer


def commitments(writer: Writer, **query: str) -> dict[str, Any]:
    answer = writer.get(f"/api/v1/projects/{writer.project}/commitments", query=dict(query))
    assert answer.status == 200, answer.text
    return dict(answer.json)


def test_a_promise_is_shown_with_what_became_of_it_and_both_quotes(writer: Writer) -> None:
    first = writer.write(PROMISE, title="Minutes 1")
    second = writer.write(DONE, title="Minutes 2")
    answer = writer.get(f"/api/v1/projects/{writer.project}/commitments").json
    (item,) = answer["items"]
    assert (item["status"], item["what"], item["who"]) == ("closed", "send the signed contract to Acme", "Ann")
    assert (item["when"], item["due"]) == ("20 March 2026", "2026-03-20")
    promised, (later,) = item["promised"], item["later"]
    assert (promised["document_id"], promised["document_date"]) == (first.id, "2026-03-02")
    assert promised["quote"] == "Ann: send the signed contract to Acme by 20 March 2026"
    assert (later["document_id"], later["document_date"], later["says"]) == (second.id, "2026-03-09", "done")
    assert later["quote"] == "The signed contract was sent to Acme."
    assert (answer["documents_compared"], answer["documents_not_analysed"]) == (2, 0)
    assert (answer["is_complete"], answer["next_cursor"]) == (True, None)


def test_commitments_are_narrowed_and_paged(writer: Writer) -> None:
    for text in (PROMISE, DONE, LATER):
        writer.write(text)
    assert [item["status"] for item in commitments(writer)["items"]] == ["closed", "open"]
    assert [item["who"] for item in commitments(writer, status="open")["items"]] == ["Bob"]
    assert [item["who"] for item in commitments(writer, who="ann")["items"]] == ["Ann"]
    page = commitments(writer, limit="1")
    rest = commitments(writer, limit="1", cursor=str(page["next_cursor"]))
    assert [item["who"] for item in (*page["items"], *rest["items"])] == ["Ann", "Bob"]
    assert rest["next_cursor"] is None
    forged = writer.get(f"/api/v1/projects/{writer.project}/commitments", query={"cursor": str(page["next_cursor"])})
    assert forged.status == 200
    other = writer.get(
        f"/api/v1/projects/{writer.project}/commitments",
        query={"cursor": str(page["next_cursor"]), "status": "open"},
    )
    assert other.status == 400


def test_a_document_that_is_hidden_gives_and_takes_nothing(writer: Writer) -> None:
    stack, tenant = writer.stack, writer.tenant
    private = stack.call(
        "documents",
        "POST",
        "/api/v1/collections",
        {"name": "Board", "project_id": writer.project, "visibility": "private"},
        tenant=tenant,
    )
    assert private.status == 201, private.text
    writer.write(PROMISE)
    hidden = writer.write(DONE + LATER, collection_id=private.json["id"])
    outsider = stack.member(tenant, Role.MEMBER, new_id("usr"))
    path = f"/api/v1/projects/{writer.project}/commitments"
    seen = writer.get(path, caller=outsider).json
    assert [(item["status"], item["later"]) for item in seen["items"]] == [("open", [])]
    assert seen["documents_compared"] == 1
    assert hidden.id not in writer.get(path, caller=outsider).text
    assert writer.get(f"/api/v1/documents/{hidden.id}/analysis", caller=outsider).status == 404
    insider = stack.member(tenant, Role.ADMIN, new_id("usr"))
    assert writer.get(path, caller=insider).json["documents_compared"] == 2


def test_of_a_later_version_only_what_it_says_counts(writer: Writer) -> None:
    document = writer.write(PROMISE)
    later = writer.revise(document, LATER)
    assert [item["who"] for item in commitments(writer)["items"]] == ["Bob"]
    path = f"/api/v1/documents/{document.id}/analysis"
    assert writer.get(path).json["version"] == later.version
    (before,) = writer.get(path, query={"version": 1}).json["findings"]["actions"]
    assert before["who"] == "Ann"


def test_an_analysis_is_shown_with_empty_fields_where_the_text_gives_none(writer: Writer) -> None:
    document = writer.write("ACTION: tidy the shared drive\n")
    answer = writer.get(f"/api/v1/documents/{document.id}/analysis").json
    assert answer["method"] == "rules"
    (action,) = answer["findings"]["actions"]
    assert (action["what"], action["who"], action["when"], action["state"]) == (
        "tidy the shared drive",
        None,
        None,
        None,
    )
    assert answer["counts"]["actions"] == 1
    assert answer["document_date"] is None


def test_what_is_not_analysed_says_so(writer: Writer) -> None:
    document = writer.write(PROMISE, analyse=False)
    answer = writer.get(f"/api/v1/documents/{document.id}/analysis")
    assert (answer.status, answer.json["code"]) == (404, "analysis_not_found")
    missing = writer.get(f"/api/v1/documents/{document.id}/analysis", query={"version": 7})
    assert (missing.status, missing.json["code"]) == (404, "document_version_not_found")
    assert commitments(writer)["documents_not_analysed"] == 1


def test_another_tenants_documents_and_projects_are_not_there(writer: Writer, stack: Stack) -> None:
    document = writer.write(PROMISE)
    other = stack.tenant("Other")
    paths = (f"/api/v1/documents/{document.id}/analysis", f"/api/v1/projects/{writer.project}/commitments")
    for path in paths:
        assert stack.call("documents", "GET", path, tenant=other).status == 404


def test_a_document_keeps_its_analysis_when_it_is_renamed_or_moved(shelf: Shelf) -> None:
    created = shelf.stack.call("projects", "POST", "/api/v1/projects", {"name": "There"}, tenant=shelf.tenant)
    document = shelf.read([PROMISE])
    before = shelf.call("GET", f"/documents/{document}/analysis").json
    for edits, change in enumerate(({"title": "Minutes"}, {"project_id": created.json["id"]}), start=1):
        assert shelf.call("PATCH", f"/documents/{document}", {"edits": edits, **change}).status == 200
        shelf.settle()
        answer = shelf.call("GET", f"/documents/{document}/analysis")
        assert (answer.status, answer.json) == (200, before)
    path = f"/projects/{created.json['id']}/commitments"
    (item,) = shelf.call("GET", path).json["items"]
    assert (item["who"], item["promised"]["title"]) == ("Ann", "Minutes")


def test_a_version_that_is_brought_back_keeps_its_analysis(shelf: Shelf) -> None:
    document = shelf.read([PROMISE, *pages(45)])
    before = shelf.call("GET", f"/documents/{document}/analysis").json
    shelf.upload(pages(60, "new"), document=document)
    while shelf.document(document).sent_revision == 1:
        shelf.step("Arrivals")
        shelf.step("Documents")
    assert shelf.cancel(document).status == 200
    shelf.settle()
    assert shelf.document(document).shown_revision == 3
    answer = shelf.call("GET", f"/documents/{document}/analysis")
    assert (answer.status, answer.json) == (200, before)
