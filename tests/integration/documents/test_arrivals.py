"""What the bucket tells: once, twice, late, of what was not announced, and while something else happens."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

import httpx
import pytest

from almanac import runtime, tenancy
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from documents import arrivals
from documents.services.arrivals import Arrivals
from documents.store import DocumentStore
from tests.integration.documents.world import TEXT, Library, sha256
from tests.integration.harness import Context


def told(*keys: str) -> dict[str, Any]:
    """Return what the bucket tells of some objects."""
    return {
        "Records": [{"eventName": "ObjectCreated:Post", "s3": {"object": {"key": quote_plus(key)}}} for key in keys]
    }


def tell(library: Library, body: Any, *, receives: int = 1) -> list[Any]:
    """Give the worker one message; returns what it asks to get again."""
    record = {
        "messageId": "one",
        "receiptHandle": "one",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(receives)},
    }
    failed: list[Any] = arrivals.handler({"Records": [record]}, Context())["batchItemFailures"]
    return failed


def states(library: Library, document: str) -> list[tuple[int, str, str | None]]:
    """Return number, state and cause of each version, newest first."""
    return [
        (each["version"], each["state"], each["cause"]["code"] if each["cause"] else None)
        for each in library.versions(document)
    ]


def object_versions(library: Library, document: str) -> int:
    """Return how many versions of a document's objects the bucket has, marks of deletions among them."""
    prefix = library.original(document).partition("versions/")[0]
    answer = library.stack.client("s3").list_object_versions(Bucket="almanac", Prefix=prefix)
    return len(answer.get("Versions", [])) + len(answer.get("DeleteMarkers", []))


def test_what_is_told_twice_happens_once(library: Library) -> None:
    document = library.upload()
    library.arrive()
    for _ in range(2):
        assert tell(library, told(library.original(document))) == []
    assert states(library, document) == [(1, "processing", None)]
    assert len(library.events("document.read")) == 1
    assert library.used_bytes() == len(TEXT)


def test_a_trial_of_the_queue_is_nothing(library: Library) -> None:
    assert tell(library, {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "almanac"}) == []
    assert library.stack.dead_letters("Arrivals") == []


def test_one_message_may_tell_of_files_of_several_tenants(library: Library, other: Library) -> None:
    ours, theirs = library.upload(), other.upload()
    library.stack.discard_messages()
    assert tell(library, told(library.original(ours), other.original(theirs))) == []
    assert (library.show(ours)["state"], other.show(theirs)["state"]) == ("processing", "processing")


@pytest.mark.parametrize("body", ["[]", '"x"', "{}", "no json", json.dumps(told("tenants/ten_1/exports/original"))])
def test_what_is_no_message_of_the_bucket_is_put_aside_with_its_cause(library: Library, body: str) -> None:
    assert tell(library, body) == []
    url = library.stack.environment["ALMANAC_ARRIVALS_DEAD_LETTER_QUEUE_URL"]
    (message,) = library.stack.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"]["code"]["StringValue"] == "invalid_message"
    library.stack.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize(
    ("announced", "sent", "code"),
    [
        ({"sha256": sha256(TEXT)}, b"other bytes", "checksum_mismatch"),
        ({"size": len(TEXT) + 1}, TEXT, "size_mismatch"),
        ({}, b"", "empty"),
    ],
)
def test_what_was_not_announced_ends_with_a_cause_and_is_removed(
    library: Library, announced: dict[str, Any], sent: bytes, code: str
) -> None:
    begun = library.begin(**announced)
    library.post(begun["upload"], sent)
    library.arrive()
    shown = library.show(begun["id"])
    assert (shown["state"], shown["cause"]["code"], shown["version"]) == ("failed", code, 0)
    assert states(library, begun["id"]) == [(1, "failed", code)]
    assert object_versions(library, begun["id"]) == 0
    assert library.used_bytes() == 0
    assert library.events("document.read") == []


def test_a_file_above_the_limit_is_not_read_through(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("documents.services.arrivals.MAX_BYTES", len(TEXT) - 1)
    begun = library.begin()
    library.post(begun["upload"], TEXT)
    with failing(Blobs, "chunks", 0):
        library.arrive()
    assert library.show(begun["id"])["cause"]["code"] == "too_large"


def test_a_further_file_that_is_refused_leaves_the_document_as_it_was(library: Library) -> None:
    document = library.upload()
    library.arrive()
    begun = library.call("POST", f"/documents/{document}/versions", {"filename": "b.md", "size": 9}).json
    library.post(begun["upload"], b"too short")
    library.post(begun["upload"], b"short")
    library.arrive()
    shown = library.show(document)
    assert (shown["state"], shown["version"], shown["upload"], shown["cause"]) == ("processing", 1, None, None)
    assert states(library, document)[0] == (2, "failed", "size_mismatch")


def test_the_bytes_of_the_newest_version_are_no_further_one(library: Library) -> None:
    document = library.upload()
    library.arrive()
    begun = library.call("POST", f"/documents/{document}/versions", {"filename": "again.md"}).json
    library.post(begun["upload"], TEXT)
    library.arrive()
    shown = library.show(document)
    assert (shown["state"], shown["version"], shown["filename"], shown["upload"]) == ("processing", 1, "scope.md", None)
    newest = library.versions(document)[0]
    assert (newest["version"], newest["state"], newest["duplicate_of"]) == (2, "cancelled", 1)
    assert library.objects(document) == ["versions/000001/original"]
    assert len(library.events("document.read")) == 1
    assert library.used_bytes() == len(TEXT)


def test_the_bytes_of_another_document_are_not_read_again(library: Library) -> None:
    document = library.upload()
    library.arrive()
    begun = library.begin("unannounced.md")
    library.post(begun["upload"], TEXT)
    library.arrive()
    shown = library.show(begun["id"])
    assert (shown["state"], shown["cause"]["code"]) == ("failed", "duplicate")
    assert document in shown["cause"]["message"]
    assert library.objects(begun["id"]) == []


def test_of_twins_that_arrive_at_once_one_is_read(library: Library) -> None:
    first, second = library.begin("one.md"), library.begin("two.md")
    for begun in (first, second):
        library.post(begun["upload"], TEXT)
    at_once(library, (first["id"], 1), (second["id"], 1))
    assert sorted(library.show(begun["id"])["state"] for begun in (first, second)) == ["failed", "processing"]
    assert len(library.events("document.read")) == 1
    assert library.used_bytes() == len(TEXT)


def test_an_arrival_that_is_taken_in_by_several_at_once_is_one_version(library: Library) -> None:
    document = library.upload()
    at_once(library, *[(document, 1)] * 5)
    assert states(library, document) == [(1, "processing", None)]
    assert len(library.events("document.read")) == 1
    assert library.used_bytes() == len(TEXT)


def test_a_form_that_is_used_again_changes_nothing(library: Library) -> None:
    begun = library.begin()
    library.post(begun["upload"], TEXT)
    library.arrive()
    library.post(begun["upload"], b"quite other bytes")
    url = library.call("GET", f"/documents/{begun['id']}/download").json["url"]
    assert httpx.get(url).content == TEXT, "not even before the bucket tells of it"
    library.arrive()
    assert library.show(begun["id"])["sha256"] == sha256(TEXT)
    body = library.stack.client("s3").get_object(Bucket="almanac", Key=library.original(begun["id"]))["Body"].read()
    assert body == TEXT
    assert object_versions(library, begun["id"]) == 1


def test_what_arrives_after_the_document_was_deleted_is_removed(library: Library) -> None:
    begun = library.begin()
    assert library.call("DELETE", f"/documents/{begun['id']}").status == 202
    library.post(begun["upload"], TEXT)
    library.arrive()
    assert object_versions(library, begun["id"]) == 0
    assert library.events("document.read") == []


def test_what_arrives_after_it_was_given_up_is_removed(library: Library) -> None:
    begun = library.begin()
    assert library.call("DELETE", f"/documents/{begun['id']}/upload").status == 204
    library.post(begun["upload"], TEXT)
    library.arrive()
    assert library.show(begun["id"])["state"] == "cancelled"
    assert object_versions(library, begun["id"]) == 0


def test_a_delete_and_an_arrival_at_once_leave_no_version(library: Library) -> None:
    """The delete comes between what the arrival reads and what it writes."""
    begun = library.begin()
    library.post(begun["upload"], TEXT)
    library.stack.discard_messages()
    document, service = begun["id"], Arrivals(arrivals.dependencies(), library.tenant)
    original = DocumentStore.save
    deleted = False

    async def save(store: DocumentStore, *given: Any, **more: Any) -> Any:
        nonlocal deleted
        if not deleted:
            deleted = True
            before = await store.get(document)
            assert before is not None
            await original(store, before, "test", state="deleting", upload=None, due_at=None)
        return await original(store, *given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DocumentStore, "save", save)
        bound(library, service.take_in(document, 1))
    assert library.events("document.read") == []
    assert object_versions(library, document) == 0


@pytest.mark.parametrize("calls", range(8))
def test_an_arrival_that_is_cut_off_anywhere_is_carried_out_by_the_next(library: Library, calls: int) -> None:
    document = library.upload()
    library.stack.discard_messages()
    message = told(library.original(document))
    with cut_off_after(calls):
        again = tell(library, message)
    for _ in again:
        assert tell(library, message) == []
    assert states(library, document) == [(1, "processing", None)]
    assert len(library.events("document.read")) == 1
    assert library.used_bytes() == len(TEXT)
    assert library.objects(document) == ["versions/000001/original"]


@pytest.mark.parametrize("calls", range(8))
def test_a_refusal_that_is_cut_off_anywhere_is_carried_out_by_the_next(library: Library, calls: int) -> None:
    begun = library.begin(size=1)
    library.post(begun["upload"], TEXT)
    library.stack.discard_messages()
    message = told(library.original(begun["id"]))
    with cut_off_after(calls):
        again = tell(library, message)
    for _ in again:
        assert tell(library, message) == []
    assert states(library, begun["id"]) == [(1, "failed", "size_mismatch")]
    assert object_versions(library, begun["id"]) == 0


def test_an_arrival_that_never_succeeds_ends_the_wait_with_a_cause(library: Library) -> None:
    document = library.upload()
    library.stack.discard_messages()
    with failing(Blobs, "head", 0):
        assert tell(library, told(library.original(document)), receives=1) != []
        assert tell(library, told(library.original(document)), receives=4) == []
    shown = library.show(document)
    assert (shown["state"], shown["cause"]["code"]) == ("failed", "attempts_exhausted")
    assert CutOffError.__name__ not in shown["cause"]["message"]
    (letter,) = library.stack.dead_letters("Arrivals")
    assert letter["code"] == "attempts_exhausted"


class CutOffError(Exception):
    """The worker ends here."""


@contextmanager
def failing(owner: type, name: str, calls: int) -> Iterator[None]:
    """Let a method of a store fail from a call on."""
    original, count = getattr(owner, name), 0

    def counted(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count > calls:
            raise CutOffError(name)
        return original(*given, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, counted)
        yield


@contextmanager
def cut_off_after(calls: int) -> Iterator[None]:
    """End the worker at some call to a store: every second one is carried out, and only its answer is lost."""
    left = calls
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in ((Table, ("get", "transact")), (Blobs, ("head", "delete_versions"))):
            for name in names:
                patch.setattr(owner, name, _counted(getattr(owner, name), lambda: _next()))

        def _next() -> int:
            nonlocal left
            left -= 1
            return left

        yield


def _counted(original: Any, left: Any) -> Any:
    async def counted(*given: Any, **more: Any) -> Any:
        now = left()
        if now == -1:
            raise CutOffError
        answer = await original(*given, **more)
        if now == 0:
            raise CutOffError
        return answer

    return counted


def at_once(library: Library, *arrived: tuple[str, int]) -> None:
    service = Arrivals(arrivals.dependencies(), library.tenant)

    async def together() -> None:
        await asyncio.gather(*(service.take_in(*each) for each in arrived))

    bound(library, together())


def bound(library: Library, work: Any) -> Any:
    async def run() -> Any:
        with tenancy.working_for(library.tenant):
            return await work

    return runtime.run(run())
