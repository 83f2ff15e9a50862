"""Secrets in messages: who sees them, how they are judged, and what a purge leaves of them."""

import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from almanac import runtime
from almanac.access import Caller, Permission, Principal
from almanac.aws import keys
from almanac.aws.table import Table, plain
from almanac.embeddings.cache import text_hash
from almanac.findings.store import Findings
from almanac.index.manifest import Manifest
from projects.services.messages import MessageService
from tests.integration.harness import READ, WRITE, Answer
from tests.integration.projects.workspace import Workspace

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
FINDINGS = "/api/v1/secret-findings"


def token(seed: int = 7) -> str:
    return "ghp_" + "".join(Random(seed).choices(LETTERS, k=36))


MASKED = "ghp_" + "*" * 36


def call(work: Workspace, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    return work.stack.call("search", method, path, body, tenant=work.tenant, **more)


def findings(work: Workspace, **query: str) -> list[dict[str, Any]]:
    answer = call(work, "GET", FINDINGS, query=query)
    assert answer.status == 200, answer.text
    return list(answer.json["items"])


def search(work: Workspace, text: str) -> list[dict[str, Any]]:
    return list(call(work, "GET", "/api/v1/search", query={"q": text}).json["items"])


def stored(work: Workspace) -> str:
    """Return all that the table and the bucket hold of the tenant, every version of every object."""
    s3 = work.stack.client("s3")
    items = [plain(item) for item in work.stack.client("dynamodb").scan(TableName="almanac")["Items"]]
    found = [repr(item) for item in items if work.tenant in item["pk"]]
    listed = s3.list_object_versions(Bucket="almanac", Prefix=f"tenants/{work.tenant}/messages/").get("Versions", [])
    for version in listed:
        body = s3.get_object(Bucket="almanac", Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
        found.append(unpacked(body))
    return "\n".join(found)


def unpacked(body: bytes) -> str:
    import gzip

    return gzip.decompress(body).decode()


def purge(work: Workspace, finding: str) -> dict[str, Any]:
    asked = call(work, "POST", f"{FINDINGS}/{finding}/purge")
    assert (asked.status, asked.json["state"]) == (202, "requested")
    assert asked.headers["location"] == f"{FINDINGS}/{finding}/purge"
    work.settle()
    receipt = call(work, "GET", f"{FINDINGS}/{finding}/purge")
    assert receipt.status == 200
    return dict(receipt.json)


def test_only_who_may_change_a_message_sees_a_secret_in_it(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint, f"elephants use {token()}")
    assert work.call("GET", f"/messages/{message}", scope=WRITE).json["content"] == f"elephants use {token()}"
    assert work.call("GET", f"/messages/{message}", scope=READ).json["content"] == f"elephants use {MASKED}"
    listed = work.call("GET", "/messages", query={"checkpoint_id": checkpoint}).text
    assert MASKED in listed and token() not in listed


def test_search_shows_no_secret_before_and_after_a_message_is_embedded(work: Workspace) -> None:
    work.message(work.checkpoint(), f"{token()} is what elephants use")
    for _ in range(2):
        (hit,) = search(work, "elephants")
        assert MASKED in hit["excerpt"] and MASKED in hit["title"]
        assert token() not in json.dumps(hit)
        work.settle()


def test_findings_are_listed_to_who_manages_secrets_and_to_nobody_else(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    message = work.message(checkpoint, f"first line\nelephants use {token()}")
    work.settle()
    (found,) = findings(work)
    assert (found["kind"], found["state"], found["line"]) == ("github_token", "open", 2)
    assert (found["source"]["message_id"], found["source"]["checkpoint_id"]) == (message, checkpoint)
    assert findings(work, state="dismissed") == findings(work, kind="jwt") == []
    assert findings(work, state="open", kind="github_token") == [found]
    assert call(work, "GET", FINDINGS, scope=WRITE).status == 403


def test_findings_are_listed_in_pages_the_newest_first(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    for seed in range(5):
        work.message(checkpoint, f"elephants use {token(seed)}")
        work.settle()
    seen, cursor = [], None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = call(work, "GET", FINDINGS, query=query).json
        seen += [item["first_seen_at"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 5 and seen == sorted(seen, reverse=True)


def test_a_finding_is_dismissed_with_a_reason_and_taken_up_again(work: Workspace) -> None:
    work.message(work.checkpoint(), f"elephants use {token()}")
    work.settle()
    (found,) = findings(work)
    path = f"{FINDINGS}/{found['id']}"
    assert (
        call(work, "PATCH", path, {"state": "dismissed", "version": found["version"]}).json["code"] == "reason_missing"
    )
    body = {"state": "dismissed", "reason": "a sample", "version": found["version"]}
    dismissed = call(work, "PATCH", path, body)
    assert dismissed.json["state"] == "dismissed"
    assert dismissed.json["dismissal"]["reason"] == "a sample"
    assert call(work, "PATCH", path, body).json["code"] == "finding_changed"
    again = call(work, "PATCH", path, {"state": "open", "version": dismissed.json["version"]})
    assert (again.json["state"], again.json["dismissal"]) == ("open", None)


def test_a_finding_in_a_private_project_is_not_there_for_who_does_not_see_the_project(work: Workspace) -> None:
    project = str(work.made("/projects", {"name": "Mergers", "visibility": "private"})["id"])
    work.message(work.checkpoint(project), f"elephants use {token()}")
    work.settle()
    (found,) = findings(work)
    rights = frozenset({Permission.CONTENT_READ, Permission.SECRETS_MANAGE})
    outsider = Caller(None, Principal(work.tenant, "key_other", rights, key_id="key_other"))
    assert call(work, "GET", FINDINGS, caller=outsider).json["items"] == []
    for method, path, body in (
        ("GET", found["id"], None),
        ("GET", f"{found['id']}/purge", None),
        ("POST", f"{found['id']}/purge", None),
        ("PATCH", found["id"], {"state": "dismissed", "reason": "none", "version": 1}),
    ):
        answer = call(work, method, f"{FINDINGS}/{path}", body, caller=outsider)
        assert (answer.status, answer.json["code"]) == (404, "finding_not_found")


def test_a_finding_of_a_deleted_message_is_gone(work: Workspace) -> None:
    message = work.message(work.checkpoint(), f"elephants use {token()}")
    work.settle()
    assert work.call("DELETE", f"/messages/{message}").status == 204
    assert [each["state"] for each in findings(work)] == ["gone"]


def test_a_purge_leaves_the_secret_nowhere_and_says_what_it_removed(work: Workspace) -> None:
    message = work.message(work.checkpoint(), f"elephants use {token()} and {token(8)}")
    work.settle()
    assert token() in stored(work)
    found = next(each for each in findings(work) if each["line"] == 1)
    receipt = purge(work, found["id"])
    assert receipt["state"] == "done"
    counts = {each["what"]: each["count"] for each in receipt["deleted"]}
    assert counts["message_version"] == 1 and counts["index_row"] == 1
    assert receipt["last_copy_until"] > receipt["finished_at"] and receipt["remaining"]
    texts = stored(work)
    assert (token() in texts) != (token(8) in texts)
    assert "noted" not in receipt
    content = work.call("GET", f"/messages/{message}").json["content"]
    assert MASKED in content and content.startswith("elephants use ")
    assert {each["state"] for each in findings(work)} == {"purged", "open"}
    assert len(search(work, "elephants")) == 1


def test_a_purge_of_a_large_message_removes_every_version_of_its_objects(work: Workspace) -> None:
    message = work.message(work.checkpoint(), f"elephants use {token()}\n" + "Whales sing.\n" * 40_000)
    work.settle()
    old = work.call("GET", f"/messages/{message}").json
    assert work.call("PATCH", f"/messages/{message}", {"version": old["version"], "author": "Ada"}).status == 200
    work.settle()
    (found,) = findings(work)
    receipt = purge(work, found["id"])
    assert {each["what"] for each in receipt["deleted"]} >= {"message_version", "object_version"}
    assert token() not in stored(work)


def test_what_was_indexed_before_secrets_were_masked_is_purged_too(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.text import secrets

    text = f"elephants use {token()}"
    with monkeypatch.context() as patch:
        patch.setattr(secrets, "clean_source", lambda source: secrets.Masked(source, ()))
        work.message(work.checkpoint(), text)
        work.settle()
    vector = keys.vector(work.tenant, "test-hash", text_hash(text))
    table = Table("almanac", runtime.clients())
    assert runtime.run(table.get(vector)) is not None
    (hit,) = search(work, "elephants")
    assert token() in hit["excerpt"]
    # Somebody edits it: from now on it is on record.
    message = hit["citation"]["message_id"]
    assert work.call("PATCH", f"/messages/{message}", {"version": 1, "author": "Ada"}).status == 200
    work.settle()
    (found,) = findings(work)
    receipt = purge(work, found["id"])
    assert {each["what"]: each["count"] for each in receipt["deleted"]}["vector"] == 1
    assert runtime.run(table.get(vector)) is None
    state = runtime.run(Manifest(table, work.tenant).read())
    assert state.erased[f"message:{message}"] == 2


def test_two_messages_that_say_the_same_once_their_secrets_are_gone_can_both_be_purged(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    for seed in (1, 2):
        work.message(checkpoint, f"elephants use {token(seed)}")
    work.settle()
    for found in findings(work):
        assert purge(work, found["id"])["state"] == "done"
    texts = stored(work)
    assert token(1) not in texts and token(2) not in texts
    assert len(search(work, "elephants")) == 2


@pytest.mark.parametrize(
    "step",
    ["update", "progress", "_remove_objects", "_forget_vectors", "_hide", "finish"],
)
def test_a_purge_that_dies_at_any_step_is_finished_by_the_next_attempt(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from projects import worker
    from projects.services import purging

    work.message(work.checkpoint(), f"elephants use {token()}")
    work.settle()
    (found,) = findings(work)
    owner = {"update": MessageService, "progress": Findings, "finish": Findings}.get(step, purging._Message)
    call(work, "POST", f"{FINDINGS}/{found['id']}/purge")
    event = next(each for each in work.outbox() if each["kind"] == "secret.purge")
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, dying(getattr(owner, step)))
        with pytest.raises(RuntimeError, match="killed"):
            handle(worker, event)
    handle(worker, event)
    work.settle()
    receipt = call(work, "GET", f"{FINDINGS}/{found['id']}/purge").json
    assert receipt["state"] == "done"
    assert {each["what"]: each["count"] for each in receipt["deleted"]}["message_version"] == 1
    assert token() not in stored(work)


def dying(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step with the process killed as it ends."""

    async def run(*arguments: Any, **named: Any) -> Any:
        await step(*arguments, **named)
        raise RuntimeError("killed")

    return run


def handle(worker: Any, event: dict[str, Any]) -> None:
    from almanac import tenancy
    from almanac.events import projects_event
    from almanac.worker.batch import Deadline

    async def work() -> None:
        with tenancy.working_for(event["tenant_id"]):
            await worker.work(projects_event.validate_python(event), Deadline(time.monotonic() + 60))

    runtime.run(work())
