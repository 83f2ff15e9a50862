"""Documents in search: found by page, narrowed by collection, document and version, hidden with what they are in."""

import json
from typing import Any

import pytest

from almanac.access import Role
from almanac.aws import keys
from almanac.aws.table import Delete, Put
from almanac.events import DocumentOrigin
from almanac.ids import new_id
from almanac.index.manifest import Awaited
from almanac.index.sources import Place
from documents.model import Collection, Document, DocumentState
from tests.integration.projects.people import Colleague, colleague
from tests.integration.search.world import MOMENT, World, run

ABSENT = "doc_01k9zq3v7m8x2c4b6n0d1f5g7h"
PAYMENT = "Invoices are paid within thirty days of receipt."
PENALTY = "A late delivery costs two percent of the price a week."


def collection(world: World, project: str = "", visibility: str = "tenant") -> str:
    """Write a collection; a private one has no members."""
    name = new_id("col")
    made = {"id": name, "project_id": project, "name": name, "visibility": visibility}
    made |= {"created_by": "usr_1", "created_at": MOMENT, "updated_at": MOMENT}
    world.write(Put(Collection.model_validate(made).to_item(world.tenant)))
    if visibility == "private":
        hide(world, name)
    return name


def hide(world: World, name: str) -> None:
    """Make a project or collection private, with nobody in it."""
    row = {"entity": "private_project", "project_id": name, "epoch": "1"}
    world.write(Put({**keys.private_project(world.tenant, name).as_dict(), **row}))


def titles(answer: Any) -> set[str]:
    return {hit["title"] for hit in answer["items"]}


def test_a_page_is_cited_as_a_reader_of_the_file_looks_for_it(world: World) -> None:
    document = world.document(PAYMENT, PENALTY, collection_id=collection(world))
    (hit, *_) = world.search("late delivery", kind="document")
    assert (hit["kind"], hit["title"], hit["excerpt"]) == ("document", "Contract", PENALTY)
    assert hit["citation"] == {
        "type": "document",
        "document_id": document.id,
        "version": 1,
        "title": "Contract",
        "filename": "contract.pdf",
        "unit": "page",
        "number": 2,
        "label": "page 2",
        "cells": None,
    }


def test_a_row_of_a_sheet_is_cited_by_its_cells(world: World) -> None:
    place = Place(
        unit="sheet", number=1, label="sheet Costs", sheet="Costs", first_row=3, first_column=2, columns=2, data_row=4
    )
    document = world.document()
    world.index(
        world.page(
            document, 1, "| Item | Price |\n| --- | --- |\n| Crane rental in March | 900 |\n| Drill | 40 |", place=place
        )
    )
    (hit,) = world.search("crane")
    assert hit["citation"]["label"] == "sheet Costs, B3:C5"
    answer = world.stack.call(
        "search", "POST", "/api/v1/ask", {"question": "How much is the crane rental in March?"}, tenant=world.tenant
    )
    (cited, *_) = answer.json["citations"]
    assert cited["quote"] == "| Crane rental in March | 900 |"
    assert (cited["citation"]["label"], cited["citation"]["cells"]) == ("sheet Costs, B4:C4", "B4:C4")


def test_filters_narrow_to_collections_and_documents(world: World) -> None:
    here, there = collection(world), collection(world)
    one = world.document(PAYMENT, title="One", collection_id=here)
    world.document(PAYMENT, title="Two", collection_id=there)
    loose = world.document(PAYMENT, title="Loose")
    world.index(world.message("mail", PAYMENT))
    assert titles(world.get(q="invoices").json) == {"One", "Two", "Loose", "mail"}
    assert titles(world.get(q="invoices", collection=[here]).json) == {"One"}
    assert titles(world.get(q="invoices", collection=[here, there]).json) == {"One", "Two"}
    assert titles(world.get(q="invoices", document=[one.id, loose.id]).json) == {"One", "Loose"}
    assert titles(world.get(q="invoices", document=[loose.id], collection=[here]).json) == set()
    assert titles(world.post({"q": "invoices", "document": [one.id]}).json) == {"One"}
    assert world.get(q="invoices", document=[ABSENT]).json["items"] == []


def test_a_version_is_searched_as_it_was_and_the_newest_answers_otherwise(world: World) -> None:
    first = world.document("Invoices are paid within thirty days.", "An annex about cranes.")
    world.revised(first, "Invoices are paid within sixty days.")
    (now,) = world.search("invoices", document=first.id)
    assert ("sixty" in now["excerpt"], now["citation"]["version"]) == (True, 2)
    assert world.search("cranes", document=first.id, kind="document") == world.search("cranes", document=first.id)
    assert {hit["citation"]["version"] for hit in world.search("cranes annex", document=first.id)} == {2}
    old = world.search("invoices cranes", document=first.id, version=1)
    assert {hit["citation"]["version"] for hit in old} == {1}
    assert {hit["citation"]["number"] for hit in old} == {1, 2}
    assert "thirty" in " ".join(hit["excerpt"] for hit in old)
    then = world.get(q="invoices", as_of="2026-01-01T12:00:00Z").json
    assert ["thirty" in hit["excerpt"] for hit in then["items"] if hit["citation"]["number"] == 1] == [True]


@pytest.mark.parametrize(
    "asked",
    [
        {"version": 1},
        {"version": 1, "document": [ABSENT, ABSENT[:-1] + "8"]},
        {"version": 1, "document": [ABSENT], "as_of": "2026-01-31"},
        {"version": 0, "document": [ABSENT]},
    ],
)
def test_a_version_is_of_one_document_alone(world: World, asked: dict[str, Any]) -> None:
    refused = world.post({"q": "x", **asked})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "body.version")
    asked_too = world.stack.call("search", "POST", "/api/v1/ask", {"question": "x", **asked}, tenant=world.tenant)
    assert (asked_too.status, asked_too.json["errors"][0]["field"]) == (422, "body.version")


def test_versions_that_are_not_there_or_were_not_read_are_told(world: World, neighbour: World) -> None:
    document = world.document(PAYMENT)
    world.revised(document, PENALTY, state="failed")
    unread = world.get(q="x", document=document.id, version=2)
    assert (unread.status, unread.json["code"]) == (409, "document_version_not_searchable")
    for name, version in ((document.id, 3), (ABSENT, 1), (neighbour.document(PAYMENT).id, 1)):
        answer = world.get(q="x", document=name, version=version)
        assert (answer.status, answer.json["code"]) == (404, "document_version_not_found")
    world.write(
        Put(document.model_copy(update={"state": DocumentState.DELETING}).to_item(world.tenant), overwrite=True)
    )
    assert world.get(q="x", document=document.id, version=1).json["code"] == "document_version_not_found"


def test_a_dropped_document_is_gone_from_now_and_then_whatever_comes_late(world: World) -> None:
    document = world.document(PAYMENT)
    world.document(PAYMENT, title="Other")
    world.write(world.manifest.drop(document.id))
    assert titles(world.get(q="invoices").json) == {"Other"}
    assert titles(world.get(q="invoices", as_of="2026-01-31").json) == {"Other"}
    world.revised(document, PAYMENT)
    assert titles(world.get(q="invoices").json) == {"Other"}
    assert world.get(q="invoices").json["index"]["chunks"] == 1
    assert document.id in run(world.manifest.read()).drops


def waiting(world: World, document: Document) -> Awaited:
    """Have a part of a document be stored and not embedded."""
    origin = DocumentOrigin(document_id=document.id, revision=9, part=1)
    key = keys.document_text(world.tenant, document.id, 9, 1)
    entry = Awaited(f"{document.id}#9#1", origin, key, document.container_id, since=MOMENT)
    world.write(world.manifest.await_(entry))
    return entry


def test_what_is_not_embedded_yet_is_counted_by_document(world: World) -> None:
    document, gone = world.document(PAYMENT), world.document(PENALTY)
    waiting(world, document)
    waiting(world, gone)
    world.write(world.manifest.drop(gone.id))
    pending = world.get(q="invoices").json["index"]["pending"]
    assert (pending["documents"], pending["document_ids"]) == (1, [document.id])
    assert (pending["messages"], pending["batches"], pending["since"]) == (0, {}, "2026-01-01T00:00:00Z")


class Secret:
    """A document that `reader` may not read, and one that everybody may."""

    def __init__(self, world: World, reader: Colleague, hidden: Document) -> None:
        self.world, self.reader, self.hidden = world, reader, hidden

    def ask(self, path: str, body: Any) -> Any:
        return self.reader.call("POST", path, body, slice_name="search")


@pytest.fixture(params=["collection", "project", "public collection of a private project"])
def secret(world: World, request: pytest.FixtureRequest) -> Secret:
    project = new_id("prj") if request.param != "collection" else ""
    if project:
        hide(world, project)
    visibility = "private" if request.param == "collection" else "tenant"
    inside = "" if request.param == "project" else collection(world, project, visibility)
    text = "The merger with Globex closes in March."
    hidden = world.document(text, title="Merger", project_id=project, collection_id=inside)
    world.document("The canteen closes at noon on Fridays.", title="Canteen", collection_id=collection(world))
    return Secret(world, colleague(world.stack, world.tenant), hidden)


def test_a_document_that_may_not_be_read_is_in_no_result_or_count(secret: Secret) -> None:
    waiting(secret.world, secret.hidden)
    everything = secret.world.get(q="closes merger").json
    assert titles(everything) == {"Merger", "Canteen"}
    assert everything["index"]["pending"]["document_ids"] == [secret.hidden.id]
    seen = secret.ask("/search", {"q": "closes merger"}).json
    assert titles(seen) == {"Canteen"}
    assert (seen["index"]["chunks"], seen["index"]["pending"]["documents"]) == (1, 0)
    for narrowed in ({"document": [secret.hidden.id]}, {"as_of": "2099-01-01"}, {"kind": ["document"]}):
        told = secret.ask("/search", {"q": "merger Globex March", **narrowed})
        assert "Globex" not in told.text
        assert secret.hidden.id not in told.text
    status = secret.reader.call("GET", "/search/index", slice_name="search").json
    assert status["chunks"] == 1


def test_naming_a_hidden_document_is_naming_none(secret: Secret) -> None:
    inside = secret.hidden.container_id
    for path, body in (("/search", {"q": "merger"}), ("/ask", {"question": "When does the merger close?"})):
        for narrowed in ({"document": [secret.hidden.id]}, {"collection": [inside]} if inside[:3] == "col" else {}):
            told = secret.ask(path, body | narrowed)
            assert told.status == 200
            assert "Globex" not in told.text
        real = secret.ask(path, {**body, "document": [secret.hidden.id], "version": 1})
        never = secret.ask(path, {**body, "document": [ABSENT], "version": 1})
        assert (real.status, real.json["code"]) == (404, "document_version_not_found")
        assert {**real.json, "correlation_id": ""} == {**never.json, "correlation_id": ""}


def test_no_answer_suggests_or_quotes_a_hidden_document(secret: Secret) -> None:
    question = "When does the merger with Globex close?"
    told = secret.ask("/ask", {"question": question}).json
    assert "Globex" not in json.dumps({**told, "question": "", "resolved_question": ""})
    assert secret.hidden.id not in json.dumps(told)
    owner = colleague(secret.world.stack, secret.world.tenant, Role.OWNER)
    shown = owner.call("POST", "/ask", {"question": question}, slice_name="search").json
    assert shown["citations"][0]["citation"]["label"] == "page 1"


def test_conversations_forget_what_their_owner_may_not_read_any_more(world: World) -> None:
    inside = collection(world)
    document = world.document("The merger with Globex closes in March.", title="Merger", collection_id=inside)
    bob = colleague(world.stack, world.tenant)
    begun = bob.made("/conversations", {"title": "Plans"}, slice_name="search")
    asked = {"question": "When does the merger with Globex close?", "conversation_id": begun}
    assert "March" in bob.call("POST", "/ask", asked, slice_name="search").text
    hide(world, inside)
    turns = bob.call("GET", f"/conversations/{begun}", slice_name="search")
    assert "March" not in turns.text
    assert document.id not in turns.text
    later = bob.call(
        "POST", "/ask", {"question": "And what about that?", "conversation_id": begun}, slice_name="search"
    )
    assert "March" not in later.text


@pytest.mark.parametrize("change", ["deleted", "gone", "moved"])
def test_conversations_forget_documents_that_are_gone_or_elsewhere(world: World, change: str) -> None:
    document = world.document("The merger with Globex closes in March.", title="Merger")
    bob = colleague(world.stack, world.tenant)
    begun = bob.made("/conversations", {"title": "Plans"}, slice_name="search")
    asked = {"question": "When does the merger with Globex close?", "conversation_id": begun}
    assert "March" in bob.call("POST", "/ask", asked, slice_name="search").text
    assert "March" in bob.call("GET", f"/conversations/{begun}", slice_name="search").text
    if change == "gone":
        world.write(Delete(keys.document(world.tenant, document.id)), world.manifest.drop(document.id))
    elif change == "deleted":
        deleting = document.model_copy(update={"state": DocumentState.DELETING})
        world.write(Put(deleting.to_item(world.tenant), overwrite=True), world.manifest.drop(document.id))
    else:
        moved = document.model_copy(update={"collection_id": collection(world, "", "private")})
        world.write(Put(moved.to_item(world.tenant), overwrite=True), world.manifest.drop(document.id))
    assert "March" not in bob.call("GET", f"/conversations/{begun}", slice_name="search").text
    later = {"question": "And what about that?", "conversation_id": begun}
    assert "March" not in bob.call("POST", "/ask", later, slice_name="search").text


def test_a_secret_in_a_document_is_masked_in_its_text_and_where_it_stands(world: World) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"[:36]
    place = Place(unit="section", number=1, label=f"Access > {token}")
    document = world.document()
    world.index(world.page(document, 1, f"# Access\n\n## {token}\n\nThe crane opens with {token} alone.", place=place))
    answer = world.get(q="crane opens")
    assert answer.json["items"][0]["citation"]["label"].startswith("Access > ghp")
    assert token not in answer.text


THIRTY, SIXTY = (f"Invoices of suppliers are paid within {days} days of receipt." for days in (30, 60))
WHEN = "When are invoices of suppliers paid?"


def answered(world: World, **asked: Any) -> Any:
    body = {"question": WHEN, **asked}
    answer = world.stack.call("search", "POST", "/api/v1/ask", body, tenant=world.tenant)
    assert answer.status == 200, answer.text
    return answer.json


def test_documents_that_contradict_each_other_are_shown_side_by_side(world: World) -> None:
    contract = world.document("The parties are named here.", THIRTY, title="Contract", collection_id=collection(world))
    manual = world.document(SIXTY, title="Manual")
    answer = answered(world)
    (found,) = answer["contradictions"]
    cited = {each["n"]: each for each in answer["citations"]}
    told = {side["text"]: cited[side["citations"][0]]["citation"] for side in found["statements"]}
    assert {text: (at["document_id"], at["label"]) for text, at in told.items()} == {
        THIRTY: (contract.id, "page 2"),
        SIXTY: (manual.id, "page 1"),
    }
    assert (found["differs"], "suppliers" in found["about"]) == (["number"], True)
    assert all(each["occurred_at"] for each in cited.values())
    assert answered(world, document=[contract.id])["contradictions"] == []


def test_a_side_that_may_not_be_read_is_no_side(world: World) -> None:
    world.document(THIRTY, title="Contract", collection_id=collection(world, "", "private"))
    world.document(SIXTY, title="Manual")
    bob = colleague(world.stack, world.tenant)
    told = bob.call("POST", "/ask", {"question": WHEN}, slice_name="search").json
    assert (told["answered"], told["contradictions"]) == (True, [])
    assert "30" not in json.dumps(told["citations"])
    assert len(answered(world)["contradictions"]) == 1


def test_a_conversation_keeps_contradictions_and_forgets_them_with_their_documents(world: World) -> None:
    inside = collection(world)
    world.document(THIRTY, title="Contract", collection_id=inside)
    world.document(SIXTY, title="Manual")
    bob = colleague(world.stack, world.tenant)
    begun = bob.made("/conversations", {"title": "Terms"}, slice_name="search")
    asked = bob.call("POST", "/ask", {"question": WHEN, "conversation_id": begun}, slice_name="search").json
    (turn,) = bob.call("GET", f"/conversations/{begun}", slice_name="search").json["items"]
    assert turn["contradictions"] == asked["contradictions"] != []
    hide(world, inside)
    (later,) = bob.call("GET", f"/conversations/{begun}", slice_name="search").json["items"]
    assert (later["contradictions"], later["citations"]) == ([], [])


def test_a_version_of_a_document_is_asked_as_it_was(world: World) -> None:
    first = world.document(THIRTY)
    world.revised(first, SIXTY)
    assert answered(world, document=[first.id])["sentences"][0]["text"] == SIXTY
    then = answered(world, document=[first.id], version=1)
    assert then["sentences"][0]["text"] == THIRTY
    assert then["citations"][0]["citation"]["version"] == 1
    assert then["filters"] == {"document": [first.id], "version": 1}
