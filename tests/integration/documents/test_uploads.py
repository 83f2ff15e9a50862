"""Uploads over HTTP: forms, parts, files that come along, and what is known already.

The store of these tests takes whatever is posted. What the bucket itself enforces by a form's policy is read here from
the policy; that the same is refused when it arrives all the same stands in test_arrivals.py.
"""

import base64
import json
import time
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.errors import RetryableError
from documents import wiring
from documents.model import MAX_BYTES
from documents.services import targets, uploads
from documents.services.arrivals import Arrivals
from documents.store import DocumentStore
from tests.integration.documents.people import someone
from tests.integration.documents.world import TEXT, Library, sha256
from tests.integration.harness import READ

MEGABYTE = 1024 * 1024


def policy(upload: dict[str, Any]) -> list[Any]:
    conditions: list[Any] = json.loads(base64.b64decode(upload["fields"]["policy"]))["conditions"]
    return conditions


def put(url: str, body: bytes) -> str:
    answer = httpx.put(url, content=body)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["etag"])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files above 6 MB go in parts of 5 MB, the least that a bucket takes."""
    monkeypatch.setattr(uploads, "MULTIPART_BYTES", 6 * MEGABYTE)
    monkeypatch.setattr(targets, "PART_BYTES", 5 * MEGABYTE)


def test_a_file_is_uploaded_by_form_and_then_read(library: Library) -> None:
    begun = library.begin("Scope of work.md", title="Scope", metadata={"stage": "draft"}, sha256=sha256(TEXT))
    document = begun["document"]
    assert (document["state"], document["version"], document["title"]) == ("awaiting", 0, "Scope")
    assert library.post(begun["upload"], TEXT) == 204
    library.arrive()
    shown = library.show(begun["id"])
    assert (shown["state"], shown["version"], shown["upload"]) == ("processing", 1, None)
    assert (shown["size"], shown["sha256"], shown["job"]["step"]) == (len(TEXT), sha256(TEXT), "uploaded")
    (read,) = library.events("document.read")
    assert (read["document_id"], read["revision"]) == (begun["id"], 1)
    assert library.used_bytes() == len(TEXT)


def test_a_form_takes_one_object_of_the_announced_bytes_and_type(library: Library) -> None:
    begun = library.begin(size=42, sha256=sha256(TEXT), content_type="text/markdown")
    conditions = policy(begun["upload"])
    assert {"key": library.original(begun["id"])} in conditions
    assert ["content-length-range", 42, 42] in conditions
    assert {"Content-Type": "text/markdown"} in conditions
    digest = base64.b64encode(bytes.fromhex(sha256(TEXT))).decode()
    assert {"x-amz-checksum-sha256": digest} in conditions
    assert {"x-amz-checksum-algorithm": "SHA256"} in conditions


def test_a_form_without_a_size_takes_what_a_document_may_have(library: Library) -> None:
    assert ["content-length-range", 1, MAX_BYTES] in policy(library.begin()["upload"])


def test_a_file_above_the_limit_is_refused_by_its_announced_size(library: Library) -> None:
    answer = library.call("POST", "/documents", {"filename": "a.pdf", "size": MAX_BYTES + 1})
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "body.size"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "../a.pdf",
        "a/b.pdf",
        "a\\b.pdf",
        "..",
        "a\n.pdf",
        "x\u202efdp.exe",
        "\u061ca.pdf",
        "a\u2028.pdf",
        "n" * 256,
    ],
)
def test_a_name_that_is_none_is_refused(library: Library, name: str) -> None:
    answer = library.call("POST", "/documents", {"filename": name})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.filename")


def test_a_content_type_is_one_that_a_header_can_say(library: Library) -> None:
    for given, status in (("text/plain; charset=utf-8", 201), ("t\u00e9xt/plain", 422), ("text/plain\n", 422)):
        assert library.call("POST", "/documents", {"filename": "a.txt", "content_type": given}).status == status


def test_a_document_has_at_most_thirty_two_texts(library: Library) -> None:
    metadata = {str(number): "x" for number in range(33)}
    assert library.call("POST", "/documents", {"filename": "a.pdf", "metadata": metadata}).status == 422


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_goes_in_parts(library: Library) -> None:
    body = b"x" * 5 * MEGABYTE + b"y" * 2 * MEGABYTE
    begun = library.begin("large.txt", size=len(body), sha256=sha256(body))
    upload = begun["upload"]
    assert (upload["mode"], upload["fields"]) == ("multipart", {})
    assert [part["size"] for part in upload["parts"]] == [5 * MEGABYTE, 2 * MEGABYTE]
    signed = parse_qs(urlsplit(upload["parts"][0]["url"]).query)["X-Amz-SignedHeaders"]
    assert signed == ["content-length;host"], "whoever has the address must keep to the part's size"
    first, second = (
        put(upload["parts"][0]["url"], body[: 5 * MEGABYTE]),
        put(upload["parts"][1]["url"], body[5 * MEGABYTE :]),
    )
    parts = {"parts": [{"number": 1, "etag": first}, {"number": 2, "etag": second}]}
    for _ in range(2):
        assert library.call("POST", f"/documents/{begun['id']}/upload/complete", parts).status == 202
    library.arrive()
    shown = library.show(begun["id"])
    assert (shown["state"], shown["size"], shown["sha256"]) == ("processing", len(body), sha256(body))
    late = library.call("POST", f"/documents/{begun['id']}/upload/complete", parts)
    assert (late.status, late.json["code"]) == (404, "upload_not_found")


@pytest.mark.usefixtures("small_parts")
def test_parts_that_were_not_uploaded_are_refused(library: Library) -> None:
    begun = library.begin("large.txt", size=7 * MEGABYTE)
    path = f"/documents/{begun['id']}/upload/complete"
    answer = library.call("POST", path, {"parts": [{"number": 1, "etag": '"00000000000000000000000000000000"'}]})
    assert (answer.status, answer.json["code"]) == (422, "invalid_parts")
    twice = library.call("POST", path, {"parts": [{"number": 1, "etag": "a"}, {"number": 1, "etag": "b"}]})
    assert twice.status == 422
    assert library.show(begun["id"])["state"] == "awaiting"


@pytest.mark.usefixtures("small_parts")
def test_an_upload_in_parts_that_is_given_up_leaves_nothing(library: Library) -> None:
    begun = library.begin("large.txt", size=7 * MEGABYTE)
    put(begun["upload"]["parts"][1]["url"], b"y" * 2 * MEGABYTE)
    assert library.call("DELETE", f"/documents/{begun['id']}/upload").status == 204
    shown = library.show(begun["id"])
    assert (shown["state"], shown["cause"]["code"], shown["upload"]) == ("cancelled", "upload_given_up", None)
    pending = library.stack.client("s3").list_multipart_uploads(Bucket="almanac").get("Uploads", [])
    assert library.original(begun["id"]) not in [each["Key"] for each in pending]
    assert library.call("DELETE", f"/documents/{begun['id']}/upload").status == 404


def test_a_form_is_complete_without_being_completed(library: Library) -> None:
    begun = library.begin()
    answer = library.call("POST", f"/documents/{begun['id']}/upload/complete", {"parts": [{"number": 1, "etag": "a"}]})
    assert (answer.status, answer.json["code"]) == (409, "upload_not_in_parts")


def test_bytes_that_are_there_are_recognised_before_they_are_sent(library: Library) -> None:
    document = library.upload()
    library.arrive()
    answer = library.call("POST", "/documents", {"filename": "again.md", "sha256": sha256(TEXT)})
    assert answer.status == 200
    assert (answer.json["id"], answer.json["duplicate"], answer.json["upload"]) == (document, True, None)
    further = library.call("POST", f"/documents/{document}/versions", {"filename": "x.md", "sha256": sha256(TEXT)})
    assert (further.status, further.json["duplicate"]) == (200, True)


def test_the_same_bytes_elsewhere_are_another_document(library: Library, other: Library) -> None:
    document = library.upload()
    library.arrive()
    for elsewhere in (
        library.begin(sha256=sha256(TEXT), project_id=library.project()),
        other.begin(sha256=sha256(TEXT)),
    ):
        assert elsewhere["id"] != document
        assert elsewhere["upload"] is not None


def test_bytes_of_a_document_that_failed_are_taken_again(library: Library) -> None:
    document = library.begin(sha256=sha256(TEXT), size=1 + len(TEXT))
    library.post(document["upload"], TEXT)
    library.arrive()
    assert library.show(document["id"])["state"] == "failed"
    assert library.begin(sha256=sha256(TEXT))["id"] != document["id"]


def test_bytes_of_a_deleted_document_are_new(library: Library) -> None:
    document = library.upload()
    library.arrive()
    assert library.call("DELETE", f"/documents/{document}").status == 202
    again = library.upload()
    library.arrive()
    assert library.show(again)["state"] == "processing"


def test_a_repeat_with_the_same_key_is_the_same_document(library: Library) -> None:
    body, headers = {"filename": "scope.md"}, {"Idempotency-Key": "k"}
    first, second = (library.call("POST", "/documents", body, headers=headers) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] == second.json["id"]
    assert second.json["upload"]["fields"]["key"] == library.original(first.json["id"])
    changed = library.call("POST", "/documents", {"filename": "other.md"}, headers=headers)
    assert (changed.status, changed.json["code"]) == (422, "idempotency_key_reused")


def test_a_small_file_comes_along_with_the_call(library: Library) -> None:
    query = {"filename": "scope.md", "title": "Scope", "document_type": "plan", "content_type": "text/markdown"}
    answer = library.call("POST", "/documents/content", TEXT, query=query)
    assert answer.status == 202, answer.text
    document = answer.json["document"]
    assert (document["state"], document["title"], document["document_type"]) == ("processing", "Scope", "plan")
    assert len(library.events("document.read")) == 1
    library.arrive()
    assert len(library.events("document.read")) == 1, "what the bucket tells of it as well changes nothing"
    again = library.call("POST", "/documents/content", TEXT, query=query)
    assert (again.status, again.json["id"], again.json["duplicate"]) == (200, answer.json["id"], True)


def test_a_repeat_brings_its_file_to_no_later_version(library: Library) -> None:
    key, query = {"Idempotency-Key": "once"}, {"filename": "scope.md"}
    first = library.call("POST", "/documents/content", TEXT, query=query, headers=key)
    awaited = library.call("POST", f"/documents/{first.json['id']}/versions", {"filename": "scope-2.md"})
    again = library.call("POST", "/documents/content", TEXT, query=query, headers=key)
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert library.post(awaited.json["upload"], b"# Another scope") == 204
    library.arrive()
    assert [
        (each["version"], each["cause"]["code"] if each["cause"] else None)
        for each in library.versions(first.json["id"])
    ] == [(2, None), (1, "superseded")]


def test_a_file_of_json_is_taken_as_it_is(library: Library) -> None:
    body = b'{"a": 1, "a": NaN}' + b"[" * 50
    headers = {"content-type": "application/json"}
    answer = library.call("POST", "/documents/content", body, query={"filename": "a.json"}, headers=headers)
    assert (answer.status, answer.json["document"]["sha256"]) == (202, sha256(body))


def test_a_call_takes_no_empty_and_no_large_file(library: Library) -> None:
    query = {"filename": "a.bin"}
    empty = library.call("POST", "/documents/content", b"", query=query)
    assert (empty.status, empty.json["code"]) == (422, "file_empty")
    large = library.call("POST", "/documents/content", b"x" * (4 * MEGABYTE + 1), query=query)
    assert (large.status, large.json["code"]) == (413, "direct_upload_too_large")


def test_a_further_file_is_a_version(library: Library) -> None:
    document = library.upload()
    library.arrive()
    begun = library.call("POST", f"/documents/{document}/versions", {"filename": "second.md", "size": 6})
    assert (begun.status, begun.json["upload"]["version"]) == (201, 2)
    assert (
        library.call("POST", f"/documents/{document}/versions", {"filename": "third.md"}).json["code"]
        == "upload_pending"
    )
    library.post(begun.json["upload"], b"second")
    library.arrive()
    shown = library.show(document)
    assert (shown["version"], shown["filename"], shown["size"]) == (2, "second.md", 6)
    assert [(each["version"], each["state"]) for each in library.versions(document)] == [
        (2, "processing"),
        (1, "cancelled"),
    ]
    assert library.versions(document)[1]["cause"]["code"] == "superseded"


def test_a_file_that_comes_along_is_the_one_that_is_expected(library: Library) -> None:
    begun = library.begin("announced.md")
    answer = library.call("PUT", f"/documents/{begun['id']}/content", TEXT, query={"filename": "scope.md"})
    assert (answer.status, answer.json["document"]["version"]) == (202, 1)
    further = library.call("PUT", f"/documents/{begun['id']}/content", b"more", query={"filename": "scope.md"})
    assert (further.status, further.json["document"]["version"]) == (202, 2)


def test_a_form_that_was_given_up_writes_into_no_later_version(library: Library) -> None:
    document = library.upload()
    library.arrive()
    stale = library.call("POST", f"/documents/{document}/versions", {"filename": "stale.md"}).json["upload"]
    assert library.call("DELETE", f"/documents/{document}/upload").status == 204
    assert library.show(document)["state"] == "processing", "the version before is read as if nothing had been"
    fresh = library.call("POST", f"/documents/{document}/versions", {"filename": "fresh.md"}).json["upload"]
    assert (stale["version"], fresh["version"]) == (2, 3)
    library.post(stale, b"stale")
    library.post(fresh, b"fresh")
    library.arrive()
    assert library.show(document)["filename"] == "fresh.md"
    assert library.objects(document) == ["versions/000001/original", "versions/000003/original"]


def test_who_awaits_an_upload_is_given_new_addresses(library: Library) -> None:
    begun = library.begin()
    again = library.show(begun["id"])["upload"]
    assert library.post(again, TEXT) == 204
    assert again["expires_at"] == begun["upload"]["expires_at"]
    assert library.call("GET", f"/documents/{begun['id']}", scope=READ).json["upload"] is None


def test_a_used_up_storage_quota_refuses_uploads(library: Library) -> None:
    library.upload()
    library.arrive()
    usage = {**keys.usage(library.tenant).as_dict(), "entity": "usage", "document_bytes": len(TEXT)}
    item = dynamo({**usage, "max_storage_bytes": len(TEXT)})
    library.stack.client("dynamodb").put_item(TableName="almanac", Item=item)
    wiring.dependencies().usage._known.clear()
    for answer in (
        library.call("POST", "/documents", {"filename": "a.md"}),
        library.call("POST", "/documents/content", b"more", query={"filename": "a.md"}),
    ):
        assert (answer.status, answer.json["code"], answer.json["quota"]) == (409, "quota_exceeded", "storage_bytes")


def test_a_reader_uploads_nothing(library: Library) -> None:
    for method, path, body in (
        ("POST", "/documents", {"filename": "a.md"}),
        ("POST", "/documents/content?filename=a.md", b"x"),
    ):
        assert library.call(method, path.partition("?")[0], body, scope=READ).status == 403


def test_a_document_of_a_collection_is_in_that_ones_project(library: Library) -> None:
    project = library.project()
    body = {"name": "Contracts", "project_id": project}
    collection = library.call("POST", "/collections", body).json["id"]
    document = library.begin(collection_id=collection)["document"]
    assert (document["project_id"], document["collection_id"]) == (project, collection)
    elsewhere = {"filename": "a.md", "collection_id": collection, "project_id": library.project("Other")}
    assert library.call("POST", "/documents", elsewhere).json["code"] == "wrong_project"


def test_a_member_who_may_only_read_uploads_nothing_there(library: Library) -> None:
    ada, bob, eve = (someone(library.stack, library.tenant) for _ in range(3))
    collection = ada.private()
    assert ada.lets_in(collection, bob, "read").status in {200, 201}
    begun = ada.call("POST", "/documents", {"filename": "a.md", "collection_id": collection}).json
    body = {"filename": "b.md", "collection_id": collection}
    assert bob.call("POST", "/documents", body).json["code"] == "collection_read_only"
    assert bob.call("POST", f"/documents/{begun['id']}/versions", {"filename": "b.md"}).status == 403
    assert bob.call("GET", f"/documents/{begun['id']}").json["upload"] is None
    assert eve.call("POST", "/documents", body).json["code"] == "collection_not_found"
    assert eve.call("GET", f"/documents/{begun['id']}").status == 404


def test_another_tenants_document_takes_no_file(library: Library, other: Library) -> None:
    document = library.begin()["id"]
    for method, path, body, query in (
        ("POST", f"/documents/{document}/versions", {"filename": "a.md"}, None),
        ("PUT", f"/documents/{document}/content", b"x", {"filename": "a.md"}),
        ("DELETE", f"/documents/{document}/upload", None, None),
        ("POST", f"/documents/{document}/upload/complete", {"parts": [{"number": 1, "etag": "a"}]}, None),
    ):
        assert other.call(method, path, body, query=query).status == 404
    assert library.show(document)["state"] == "awaiting"


def test_a_file_that_came_along_is_taken_in_later_when_the_table_is_too_busy(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: Any) -> None:
        raise RetryableError("the document kept changing")

    with monkeypatch.context() as patch:
        patch.setattr(Arrivals, "take_in", busy)
        answer = library.call("POST", "/documents/content", TEXT, query={"filename": "scope.md"})
    assert (answer.status, answer.json["document"]["state"]) == (202, "awaiting")
    library.arrive()
    assert library.show(answer.json["id"])["state"] == "processing"


def test_a_busy_table_is_said_to_be_busy(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    document = library.begin()["id"]

    async def busy(*_: Any, **__: Any) -> None:
        raise RetryableError("the transaction kept conflicting with others")

    for name in ("create", "save"):
        monkeypatch.setattr(DocumentStore, name, busy)
    for method, path, body in (
        ("POST", "/documents", {"filename": "a.md"}),
        ("PATCH", f"/documents/{document}", {"edits": 1, "title": "x"}),
        ("DELETE", f"/documents/{document}/upload", None),
    ):
        answer = library.call(method, path, body)
        assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "busy", "1")


def test_addresses_end_before_the_wait_for_the_file_does(library: Library) -> None:
    upload = library.begin()["upload"]
    addresses_end, wait_ends = (datetime.fromisoformat(upload[name]) for name in ("addresses_expire_at", "expires_at"))
    assert wait_ends - addresses_end >= timedelta(minutes=5)
    policy_ends = json.loads(base64.b64decode(upload["fields"]["policy"]))["expiration"]
    assert abs(datetime.fromisoformat(policy_ends) - addresses_end) < timedelta(seconds=30)


def test_an_upload_that_has_expired_has_no_addresses(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    document = library.begin()["id"]
    real = time.time
    monkeypatch.setattr("documents.services.targets.time", SimpleNamespace(time=lambda: real() + 3600))
    assert library.show(document)["upload"] is None
