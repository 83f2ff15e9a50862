"""Lists, numbers and suggestions of documents: what is asked for, page by page, and nothing that is hidden."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac import runtime
from almanac.access import Role
from almanac.aws.table import Table
from almanac.ids import new_id
from documents.listing import reading
from documents.listing.words import begins, words
from documents.model import Document, DocumentState
from documents.store import DocumentStore
from tests.integration.documents.people import Someone, someone, written
from tests.integration.documents.world import Library
from tests.integration.harness import Stack

OLD = "2020-01-01T00:00:00.000Z"


@pytest.fixture
def ada(library: Library) -> Someone:
    return someone(library.stack, library.tenant)


@pytest.fixture
def bob(library: Library) -> Someone:
    return someone(library.stack, library.tenant)


def suggested(who: Someone, q: str) -> list[str]:
    answer = who.call("GET", "/documents/suggestions", query={"q": q})
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.json["items"]]


def counts(who: Someone, **query: Any) -> dict[str, Any]:
    answer = who.call("GET", "/documents/counts", query=query)
    assert answer.status == 200, answer.text
    shown: dict[str, Any] = answer.json
    return shown


def test_documents_are_listed_page_by_page_the_newest_first(library: Library, ada: Someone) -> None:
    made = [written(library.tenant, f"Note {number}") for number in range(5)]
    assert ada.listed(limit=2) == made[::-1]
    page = ada.call("GET", "/documents", query={"limit": 5}).json
    assert page["next_cursor"] is None
    assert page["items"][0]["title"] == "Note 4"


def test_a_list_is_narrowed_by_what_a_document_is(library: Library, ada: Someone) -> None:
    tenant, project = library.tenant, ada.project()
    collection = ada.collection(project_id=project)
    contract = written(tenant, "Müller GmbH", project=project, collection=collection, document_type="Contract")
    notes = written(tenant, "notes", media_type="text/markdown", project=project)
    failed = written(tenant, "Scan", state=DocumentState.FAILED, created_at=OLD)
    for query, expected in (
        ({"type": "application/pdf"}, [failed, contract]),
        ({"type": "contract"}, [contract]),
        ({"state": "failed"}, [failed]),
        ({"project_id": project}, [notes, contract]),
        ({"collection_id": collection}, [contract]),
        ({"project_id": project, "collection_id": collection}, [contract]),
        ({"project_id": project, "type": "text/markdown"}, [notes]),
        ({"q": "MÜLLER"}, [contract]),
        ({"q": "NOTES.pdf"}, [notes]),
        ({"q": "nothing"}, []),
        ({"since": "2025-01-01"}, [notes, contract]),
        ({"until": "2025-01-01"}, [failed]),
    ):
        assert ada.listed(limit=1, **query) == expected, query


def test_a_filter_by_what_is_not_there_says_so(ada: Someone) -> None:
    for query, code in (
        ({"project_id": new_id("prj")}, "project_not_found"),
        ({"collection_id": new_id("col")}, "collection_not_found"),
    ):
        for path in ("/documents", "/documents/counts"):
            answer = ada.call("GET", path, query=query)
            assert (answer.status, answer.json["code"]) == (404, code)
    assert ada.call("GET", "/documents", query={"since": "yesterdayish"}).status == 422


def test_a_cursor_goes_on_in_its_own_list_alone(library: Library, ada: Someone) -> None:
    for number in range(3):
        written(library.tenant, f"Note {number}")
    cursor = ada.call("GET", "/documents", query={"limit": 1}).json["next_cursor"]
    assert ada.call("GET", "/documents", query={"limit": 1, "cursor": cursor}).status == 200
    other = ada.call("GET", "/documents", query={"limit": 1, "cursor": cursor, "q": "note"})
    assert (other.status, other.json["code"]) == (400, "invalid_cursor")


def test_pages_are_filled_whatever_lies_hidden_in_between(library: Library, ada: Someone, bob: Someone) -> None:
    collection = ada.private()
    seen = []
    for number in range(12):
        hidden = number % 4
        document = written(library.tenant, f"Note {number}", collection=collection if hidden else "")
        seen += [] if hidden else [document]
    page = bob.call("GET", "/documents", query={"limit": 3}).json
    assert ([item["id"] for item in page["items"]], page["next_cursor"]) == (seen[::-1], None)
    assert [bob.listed(limit=1), counts(bob)["total"]] == [seen[::-1], 3]


def test_a_short_page_goes_on_after_a_document_that_the_reader_sees(
    library: Library, ada: Someone, bob: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "READ_AT_MOST", 2)
    monkeypatch.setattr(reading, "_PAGE", 2)
    collection = ada.private()
    wanted = written(library.tenant, "Needle")
    for number in range(4):
        written(library.tenant, f"Secret {number}", collection=collection)
    for number in range(4):
        written(library.tenant, f"Hay {number}")
    page = bob.call("GET", "/documents", query={"q": "needle"}).json
    assert page["items"] == []
    assert page["next_cursor"] is not None
    assert bob.listed(q="needle") == [wanted]


def test_names_are_suggested_by_the_beginnings_of_their_words(library: Library, ada: Someone, bob: Someone) -> None:
    report = written(library.tenant, "Annual Report 2026", filename="ar_final.pdf")
    written(library.tenant, "Minutes")
    collection = ada.collection("Annual accounts")
    secret = ada.private("Annual secrets")
    hidden = written(library.tenant, "Annual forecast", collection=secret)
    assert suggested(bob, "ann") == [collection, report]
    assert suggested(bob, "rep ANN") == [report]
    assert suggested(bob, "final") == [report]
    assert suggested(bob, "nnual") == []
    assert suggested(bob, "!?") == []
    assert suggested(ada, "annual") == [collection, secret, hidden, report]


def test_no_more_than_ten_names_are_suggested(library: Library, ada: Someone) -> None:
    made = [written(library.tenant, f"Note {number}") for number in range(12)]
    assert suggested(ada, "note") == made[:1:-1]


def test_documents_are_counted_by_state_type_and_collection(library: Library, ada: Someone, bob: Someone) -> None:
    project = ada.project()
    collection, secret = ada.collection(project_id=project), ada.private()
    written(library.tenant, project=project, collection=collection, document_type="contract")
    written(library.tenant, state=DocumentState.FAILED)
    written(library.tenant, collection=secret)
    assert counts(bob) == {
        "total": 2,
        "is_complete": True,
        "states": {"ready": 1, "failed": 1},
        "media_types": {"application/pdf": 2},
        "document_types": {"contract": 1},
        "collections": [{"collection_id": collection, "count": 1}],
    }
    assert counts(bob, project_id=project)["total"] == 1
    assert counts(ada)["total"] == 3


def test_more_than_is_counted_at_once_is_said(library: Library, ada: Someone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COUNTED_AT_MOST", 2)
    for number in range(3):
        written(library.tenant, f"Note {number}")
    shown = counts(ada)
    assert (shown["total"], shown["is_complete"]) == (2, False)


@given(st.text(max_size=30), st.integers(min_value=1, max_value=5))
def test_the_beginning_of_every_word_finds_its_name(name: str, length: int) -> None:
    for word in words(name):
        assert begins(words(word[:length]), name)


class Model:
    """Who sees what, said as simply as can be."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[str, str]] = {}
        self.projects: dict[str, set[str] | None] = {}
        self.collections: dict[str, tuple[str, set[str] | None]] = {}

    def sees(self, who: str, project: str, collection: str) -> bool:
        if project and (project not in self.projects or not _in(who, self.projects[project])):
            return False
        return not collection or (collection in self.collections and _in(who, self.collections[collection][1]))

    def listed(self, who: str) -> list[str]:
        return sorted((name for name, place in self.documents.items() if self.sees(who, *place)), reverse=True)


def _in(who: str, members: set[str] | None) -> bool:
    return members is None or who in members


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_whatever_members_and_visibility_become_everybody_sees_what_the_model_says(stack: Stack, seed: int) -> None:
    chance = random.Random(seed)
    library = Library(stack, stack.tenant())
    people = {who.id: who for who in (someone(stack, library.tenant) for _ in range(3))}
    admin = someone(stack, library.tenant, Role.ADMIN)
    model = Model()
    for _ in range(30):
        _step(chance, library, people, admin, model)
    for who in people.values():
        expected = model.listed(who.id)
        assert who.listed(limit=3) == expected
        shown = counts(who)
        assert shown["total"] == len(expected)
        places = [model.documents[name][1] for name in expected]
        by_collection = {name: places.count(name) for name in places if name}
        assert {each["collection_id"]: each["count"] for each in shown["collections"]} == by_collection
        names = suggested(who, "note")
        assert names == expected[:10]
        collections = [name for name, (project, _) in model.collections.items() if model.sees(who.id, project, name)]
        assert who.listed("/collections") == sorted(collections)


def _step(chance: random.Random, library: Library, people: dict[str, Someone], admin: Someone, model: Model) -> None:
    """Change something at random, in the product and in the model. The admin sees everything and is no member."""
    everyone = list(people.values())
    match chance.choice(["project", "collection", "document", "document", "document", "open", "member", "delete"]):
        case "project":
            owner = chance.choice(everyone)
            private = chance.random() < 0.5
            name = owner.project(visibility="private" if private else "tenant")
            model.projects[name] = {owner.id} if private else None
        case "collection":
            owner = chance.choice(everyone)
            project = chance.choice(["", *(name for name in model.projects if model.sees(owner.id, name, ""))])
            private = chance.random() < 0.5
            name = owner.collection(
                "Box", visibility="private" if private else "tenant", **({"project_id": project} if project else {})
            )
            model.collections[name] = (project, {owner.id} if private else None)
        case "document":
            collection = chance.choice(["", *model.collections])
            project = model.collections[collection][0] if collection else chance.choice(["", *model.projects])
            document = written(library.tenant, f"Note {len(model.documents)}", project=project, collection=collection)
            model.documents[document] = (project, collection)
        case "open" if model.collections:
            name = chance.choice(list(model.collections))
            project, members = model.collections[name]
            wanted = "tenant" if members is not None else "private"
            assert admin.change(name, visibility=wanted).status == 200
            model.collections[name] = (project, {admin.id} if members is None else None)
        case "member" if closed := [name for name, (_, members) in model.collections.items() if members is not None]:
            name, who = chance.choice(closed), chance.choice(everyone)
            members = model.collections[name][1]
            assert members is not None
            if who.id in members:
                assert admin.takes_out(name, who).status == 204
                members.discard(who.id)
            else:
                assert admin.lets_in(name, who).status == 200
                members.add(who.id)
        case "delete" if model.collections or model.documents:
            _delete(chance, admin, model)
        case _:
            return


def _delete(chance: random.Random, admin: Someone, model: Model) -> None:
    name = chance.choice([*model.collections, *model.documents])
    if name in model.documents:
        assert admin.call("DELETE", f"/documents/{name}").status == 202
        del model.documents[name]
        return
    assert admin.call("DELETE", f"/collections/{name}", query={"documents": "delete"}).status == 204
    del model.collections[name]
    model.documents = {each: place for each, place in model.documents.items() if place[1] != name}


def test_a_document_that_became_private_is_not_shown_from_an_older_copy(
    library: Library, ada: Someone, bob: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing lags behind the table: what it says of a document is read again."""
    document = written(library.tenant, "Plan")
    store = DocumentStore(Table("almanac", runtime.clients()), library.tenant)
    before = runtime.run(store.get(document))
    assert before is not None
    runtime.run(store.save(before, "test", collection_id=bob.private()))

    async def lagging(*_: Any) -> AsyncIterator[list[Document]]:
        yield [before]

    monkeypatch.setattr(reading.Listing, "_pages", lagging)
    assert ada.listed() == []
    assert suggested(ada, "plan") == []
    assert counts(ada)["total"] == 0
    assert bob.listed() == [document]
