"""Collections over HTTP: who sees one and what is in it, who may write, and what goes with it."""

import pytest

from almanac.access import ROLES, Role
from almanac.aws import keys
from almanac.events import MemberRemoved
from almanac.ids import new_id
from tests.integration.documents.people import Someone, send, someone, written
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.world import Library
from tests.integration.harness import Stack
from tests.integration.projects.people import machine


@pytest.fixture
def ada(library: Library) -> Someone:
    return someone(library.stack, library.tenant)


@pytest.fixture
def bob(library: Library) -> Someone:
    return someone(library.stack, library.tenant)


def test_a_collection_is_created_shown_changed_and_deleted(ada: Someone, bob: Someone) -> None:
    project = ada.project()
    made = ada.call("POST", "/collections", {"name": "Contracts", "project_id": project})
    assert made.status == 201
    assert made.headers["location"] == f"/api/v1/collections/{made.json['id']}"
    path = f"/collections/{made.json['id']}"
    shown = bob.call("GET", path).json
    assert shown == {**made.json, "documents": {}, "is_complete": True}
    assert (shown["project_id"], shown["visibility"], shown["created_by"]) == (project, "tenant", ada.id)
    changed = bob.call("PATCH", path, {"version": 1, "name": "Agreements"})
    assert (changed.status, changed.json["name"], changed.json["version"]) == (200, "Agreements", 2)
    assert bob.call("PATCH", path, {"version": 1, "name": "Late"}).json["code"] == "version_conflict"
    assert bob.call("DELETE", path).status == 204
    assert ada.call("GET", path).json["code"] == "collection_not_found"
    assert ada.listed("/collections") == []


def test_a_repeated_creation_with_its_key_makes_one_collection(ada: Someone, bob: Someone) -> None:
    key = {"idempotency-key": "once"}
    first = ada.call("POST", "/collections", {"name": "Secret", "visibility": "private"}, headers=key)
    again = ada.call("POST", "/collections", {"name": "Secret", "visibility": "private"}, headers=key)
    assert (again.status, again.json) == (201, first.json)
    assert ada.listed("/collections") == [first.json["id"]]
    other = ada.call("POST", "/collections", {"name": "Else"}, headers=key)
    assert other.json["code"] == "idempotency_key_reused"
    ada.lets_in(first.json["id"], bob, "write")
    bob.takes_out(first.json["id"], ada)
    lost = ada.call("POST", "/collections", {"name": "Secret", "visibility": "private"}, headers=key)
    assert lost.json["code"] == "collection_not_found"


def test_collections_are_listed_page_by_page_and_by_project(ada: Someone) -> None:
    project = ada.project()
    inside = [ada.collection(f"In {number}", project_id=project) for number in range(2)]
    outside = [ada.collection(f"Out {number}") for number in range(3)]
    assert ada.listed("/collections", limit=2) == [*inside, *outside]
    assert ada.listed("/collections", project_id=project) == inside
    unknown = ada.call("GET", "/collections", query={"project_id": new_id("prj")})
    assert unknown.json["code"] == "project_not_found"


def test_a_private_collection_exists_for_its_members_and_for_who_sees_everything(
    library: Library, ada: Someone, bob: Someone
) -> None:
    collection = ada.private()
    document = written(library.tenant, collection=collection)
    assert ada.sees(collection)
    assert someone(library.stack, library.tenant, Role.ADMIN).sees(collection)
    for path in (f"/collections/{collection}", f"/documents/{document}", f"/collections/{collection}/members"):
        hidden, unknown = bob.call("GET", path), bob.call("GET", path.replace(collection, new_id("col")))
        assert hidden.status == 404
        if collection in path:
            assert hidden.json["detail"] == unknown.json["detail"]
    assert bob.listed("/collections") == []
    assert bob.listed() == []
    assert ada.listed() == [document]


def test_a_member_is_let_in_and_taken_out_with_effect_from_the_next_call(ada: Someone, bob: Someone) -> None:
    collection = ada.private()
    let_in = ada.lets_in(collection, bob)
    assert (let_in.status, let_in.json["right"], let_in.json["added_by"]) == (200, "read", ada.id)
    assert bob.listed("/collections") == [collection]
    members = bob.call("GET", f"/collections/{collection}/members").json["items"]
    assert sorted((member["actor_id"], member["right"]) for member in members) == sorted(
        [(ada.id, "write"), (bob.id, "read")]
    )
    assert ada.takes_out(collection, bob).status == 204
    assert not bob.sees(collection)
    assert ada.call("GET", f"/collections/{collection}/members/{bob.id}").json["code"] == "collection_member_not_found"


def test_a_member_who_may_only_read_changes_nothing(library: Library, ada: Someone, bob: Someone) -> None:
    collection = ada.private()
    document = written(library.tenant, collection=collection)
    ada.lets_in(collection, bob, "read")
    refused = [
        bob.change(collection, name="Mine"),
        bob.lets_in(collection, bob, "write"),
        bob.takes_out(collection, ada),
        bob.call("DELETE", f"/collections/{collection}", query={"documents": "delete"}),
        bob.call("DELETE", f"/documents/{document}"),
        bob.call("POST", "/documents", {"filename": "a.md", "collection_id": collection}),
        bob.call("PATCH", f"/documents/{document}", {"edits": 1, "title": "Mine"}),
    ]
    assert [(answer.status, answer.json["code"]) for answer in refused] == [(403, "collection_read_only")] * 7
    assert bob.call("GET", f"/documents/{document}").status == 200
    ada.lets_in(collection, bob, "write")
    assert bob.change(collection, name="Ours").status == 200
    ada.lets_in(collection, bob, "read")
    assert bob.takes_out(collection, bob).status == 204, "whoever may only read may leave"
    assert not bob.sees(collection)


def test_nobody_is_let_into_a_collection_that_everybody_sees(ada: Someone, bob: Someone) -> None:
    collection = ada.collection()
    assert ada.lets_in(collection, bob).json["code"] == "collection_not_private"
    private = ada.private()
    stranger = ada.call("PUT", f"/collections/{private}/members/{new_id('usr')}", {"right": "read"})
    assert (stranger.status, stranger.json["code"]) == (404, "actor_not_found")


def test_membership_ends_with_the_private_time_of_a_collection(ada: Someone, bob: Someone) -> None:
    collection = ada.private()
    ada.lets_in(collection, bob, "write")
    assert ada.change(collection, visibility="tenant").status == 200
    assert ada.call("GET", f"/collections/{collection}/members").json["items"] == []
    assert ada.change(collection, visibility="private").status == 200
    assert not bob.sees(collection)


def test_a_collection_of_a_private_project_is_hidden_with_it(library: Library, ada: Someone, bob: Someone) -> None:
    project = ada.project(visibility="private")
    collection = ada.collection(project_id=project)
    document = written(library.tenant, project=project, collection=collection)
    assert not bob.sees(collection)
    assert bob.listed("/collections") == []
    refused = bob.call("POST", "/collections", {"name": "In", "project_id": project})
    assert refused.json["code"] == "project_not_found"
    secret = ada.private(project_id=project)
    ada.lets_in(secret, bob)
    assert not bob.sees(secret), "its project is hidden all the same"
    assert ada.call("GET", f"/documents/{document}").status == 200


def test_a_service_account_is_a_member_with_all_of_its_keys(library: Library, ada: Someone) -> None:
    answer = library.call("POST", "/service-accounts", {"name": "robot"}, slice_name="identity")
    account = answer.json["id"]
    robot = machine(library.stack, library.tenant, account, ROLES[Role.MEMBER])
    collection = ada.private()
    path = f"/collections/{collection}"
    assert robot.call("GET", path, slice_name="documents").status == 404
    assert ada.call("PUT", f"{path}/members/{account}", {"right": "read"}).status == 200
    assert robot.call("GET", path, slice_name="documents").status == 200


def test_a_document_lies_in_the_project_of_its_collection(ada: Someone) -> None:
    project, other = ada.project(), ada.project()
    collection = ada.collection(project_id=project)
    answer = ada.call("POST", "/documents", {"filename": "a.md", "collection_id": collection})
    assert answer.json["document"]["project_id"] == project
    wrong = ada.call("POST", "/documents", {"filename": "b.md", "collection_id": collection, "project_id": other})
    assert (wrong.status, wrong.json["code"]) == (422, "wrong_project")
    assert ada.call("GET", f"/collections/{collection}").json["documents"] == {"awaiting": 1}


def test_a_collection_with_documents_is_deleted_only_when_they_may_go_with_it(library: Library, ada: Someone) -> None:
    collection = ada.collection()
    document, elsewhere = written(library.tenant, collection=collection), written(library.tenant)
    path = f"/collections/{collection}"
    refused = ada.call("DELETE", path)
    assert (refused.status, refused.json["code"]) == (409, "collection_not_empty")
    assert ada.call("DELETE", path, query={"documents": "delete"}).status == 204
    assert ada.call("GET", f"/documents/{document}").status == 404, "before any worker ran"
    assert ada.listed() == [elsewhere]
    library.stack.drain()
    receipt = ada.call("GET", f"/documents/{document}/receipt").json
    assert (receipt["state"], receipt["requested_by"]) == ("done", ada.id)
    assert library.item(keys.document(library.tenant, document)) is None
    assert library.item(keys.collection(library.tenant, collection)) is None


def test_a_deleted_project_takes_its_collections_and_documents_with_it(library: Library, ada: Someone) -> None:
    project = ada.project()
    collection = ada.private(project_id=project)
    inside = written(library.tenant, project=project, collection=collection)
    beside, elsewhere = written(library.tenant, project=project), written(library.tenant)
    assert ada.call("DELETE", f"/projects/{project}", slice_name="projects").status == 204
    assert not ada.sees(collection)
    assert ada.listed() == [elsewhere]
    library.stack.drain()
    for document in (inside, beside):
        assert library.item(keys.document(library.tenant, document)) is None
    assert library.item(keys.collection(library.tenant, collection)) is None
    left = library.stack.client("dynamodb").query(
        TableName="almanac",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.owned_documents(library.tenant, project)}},
    )
    assert left["Items"] == []


def test_who_is_removed_from_the_tenant_leaves_its_private_collections(
    library: Library, ada: Someone, bob: Someone
) -> None:
    collection = ada.private()
    ada.lets_in(collection, bob)
    removed = MemberRemoved(
        tenant_id=library.tenant, correlation_id="test", person_id=bob.id, removed_at="2100-01-01T00:00:00.000Z"
    )
    send(removed)
    library.stack.drain()
    members = ada.call("GET", f"/collections/{collection}/members").json["items"]
    assert [member["actor_id"] for member in members] == [ada.id]


def test_search_and_its_figures_are_those_of_an_index_without_the_private_collection(
    shelf: Shelf, stack: Stack
) -> None:
    ada, bob = someone(stack, shelf.tenant), someone(stack, shelf.tenant)
    open_, secret = ada.collection(), ada.private()
    shown = shelf.read(["elephants never forget"], collection_id=open_)
    hidden = shelf.read(["elephants never forgive", "nor do whales"], collection_id=secret)

    def search(who: Someone, **query: str) -> tuple[list[str], int]:
        answer = who.call("GET", "/search", slice_name="search", query={"q": "elephants whales", **query})
        assert answer.status == 200, answer.text
        items = answer.json["items"]
        return [item["citation"]["document_id"] for item in items], answer.json["index"]["chunks"]

    assert set(search(ada)[0]) == {shown, hidden}
    assert search(bob) == ([shown], 1)
    ada.lets_in(secret, bob)
    assert set(search(bob)[0]) == {shown, hidden}
    ada.takes_out(secret, bob)
    assert search(bob) == ([shown], 1)
    assert ada.call("DELETE", f"/collections/{secret}", query={"documents": "delete"}).status == 204
    assert search(ada) == ([shown], 1), "before any worker ran"


def test_a_document_that_moves_is_listed_where_it_is(library: Library, ada: Someone, bob: Someone) -> None:
    project = ada.project()
    here, there = ada.collection(project_id=project), ada.private()
    document = written(library.tenant, project=project, collection=here)
    moved = ada.call("PATCH", f"/documents/{document}", {"edits": 1, "collection_id": there})
    assert (moved.status, moved.json["project_id"], moved.json["collection_id"]) == (200, None, there)
    assert ada.listed(collection_id=here) == ada.listed(project_id=project) == []
    assert ada.listed(collection_id=there) == [document]
    assert bob.listed() == []
    assert ada.call("DELETE", f"/collections/{here}").status == 204, "nothing is in it any more"
    back = bob.call("PATCH", f"/documents/{document}", {"edits": 2, "collection_id": None})
    assert back.json["code"] == "document_not_found"
