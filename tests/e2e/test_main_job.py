"""The main job on the deployed stack: a repository, a message or a push becomes searchable, and gone when deleted."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from almanac_cli import hosting
from almanac_cli.main import app
from infra.local.git_server import GitServer
from tests.e2e.conftest import Tenant

PATIENCE_SECONDS = 60.0
SOURCE = b'''"""Retries."""


def compute_retry_delay(attempt: int) -> float:
    """Return the pause before the next attempt: exponential, with a ceiling."""
    return min(30.0, 0.5 * 2**attempt)
'''

Commit = Callable[..., str]


@dataclass
class Synced:
    """A connected repository and the working copy behind it."""

    tenant: Tenant
    server: GitServer
    work: Path
    project: str
    repository: dict[str, Any]

    @property
    def path(self) -> str:
        return f"/api/v1/projects/{self.project}/repositories/{self.repository['id']}"

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = _ok(self.tenant.client.get(self.path))
        return found

    def wait(self, head: str) -> dict[str, Any]:
        found: dict[str, Any] = _until(self.state, lambda now: now["state"] == "synced" and now["head"] == head)
        return found

    def publish(self) -> None:
        self.server.publish(self.work, "project")

    def deliver(self, secret: str | None = None, **headers: str) -> httpx.Response:
        body = json.dumps({"ref": "refs/heads/main"}).encode()
        key = (secret or self.repository["webhook"]["secret"]).encode()
        signed = {
            "x-hub-signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
            "x-github-event": "push",
            "x-github-delivery": str(uuid.uuid4()),
            "content-type": "application/json",
        }
        address = f"/api/v1/webhooks/github/{self.tenant.id}/{self.repository['id']}"
        # The delivery carries no key: the signature is all that it has.
        with httpx.Client(base_url=self.tenant.client.base_url, timeout=60.0, trust_env=False) as host:
            return host.post(address, content=body, headers={**signed, **headers})

    def search(self, text: str, **filters: Any) -> list[dict[str, Any]]:
        body = {"q": text, "project": [self.project], **filters}
        items: list[dict[str, Any]] = _ok(self.tenant.client.post("/api/v1/search", json=body))["items"]
        return items


@pytest.fixture
def synced(tenant: Tenant, git_server: GitServer, tmp_path: Path, commit: Commit) -> Synced:
    work = tmp_path / "work"
    head = commit(
        work, {"src/retry.py": SOURCE, "README.md": b"# Project\n\nIt retries.\n"}, "Add retries with a ceiling"
    )
    git_server.publish(work, "project")
    project = _ok(tenant.client.post("/api/v1/projects", json={"name": "main job"}))["id"]
    connect = {"url": git_server.url("project")}
    repository = _ok(tenant.client.post(f"/api/v1/projects/{project}/repositories", json=connect))
    found = Synced(tenant, git_server, work, project, repository)
    found.wait(head)
    return found


def test_a_connected_repository_is_found_by_meaning_and_by_word_with_citations(synced: Synced) -> None:
    head = synced.state()["head"]
    by_meaning = synced.search("how long to wait before trying again", kind=["code"])[0]
    by_word = synced.search("retry delay", kind=["code"])[0]
    for hit in (by_meaning, by_word):
        citation = hit["citation"]
        assert (citation["path"], citation["commit"]) == ("src/retry.py", head)
        lines = SOURCE.decode().splitlines()[citation["start_line"] - 1 : citation["end_line"]]
        assert any("compute_retry_delay" in line for line in lines)
    made = synced.search("ceiling", kind=["commit"])[0]
    assert made["citation"]["sha"] == head
    assert "Ada" in made["citation"]["author"]
    assert synced.search("retry delay", path="docs/**") == []


def test_a_signed_push_brings_the_new_commit_and_drops_what_it_removed(synced: Synced, commit: Commit) -> None:
    head = commit(synced.work, {"src/retry.py": None, "src/pause.py": b"QUAGGA = 1  # the zebra of pauses\n"}, "Rework")
    synced.publish()
    answer = synced.deliver()
    assert (answer.status_code, answer.json()) == (202, {"status": "queued"})
    synced.wait(head)
    assert synced.search("quagga", kind=["code"])[0]["citation"]["path"] == "src/pause.py"
    assert all(hit["citation"]["path"] != "src/retry.py" for hit in synced.search("compute_retry_delay", kind=["code"]))


def test_a_delivery_that_is_not_signed_with_the_repositorys_secret_is_refused(synced: Synced) -> None:
    for answer in (synced.deliver(secret="another"), synced.deliver(**{"x-hub-signature-256": "sha256=00"})):
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_message_is_found_and_gone_when_its_deletion_is_answered(synced: Synced) -> None:
    client = synced.tenant.client
    body = {"project_id": synced.project, "name": "Decisions"}
    checkpoint = _ok(client.post("/api/v1/checkpoints", json=body))["id"]
    text = "We chose a queue over a stream since an okapi costs nothing while it sleeps."
    answer = client.post("/api/v1/messages", json={"checkpoint_id": checkpoint, "content": text})
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    message = answer.json()["id"]
    (hit,) = synced.search("okapi", kind=["message"])
    assert hit["citation"]["checkpoint_id"] == checkpoint
    assert hit["citation"]["message_id"] == message
    assert client.delete(f"/api/v1/messages/{message}").status_code == 204
    assert synced.search("okapi", kind=["message"]) == []


def test_the_past_is_asked_by_commit_and_by_moment(synced: Synced, commit: Commit) -> None:
    before, client = synced.state()["head"], synced.tenant.client
    head = commit(synced.work, {"src/retry.py": None}, "Retry no more")
    synced.publish()
    synced.deliver()
    synced.wait(head)
    assert synced.search("compute_retry_delay", kind=["code"], path="src/retry.py") == []
    (hit,) = synced.search("compute_retry_delay", kind=["code"], path="src/retry.py", as_of=before[:10])
    assert hit["citation"]["commit"] == before
    unknown = client.post("/api/v1/search", json={"q": "retry", "as_of": "0123456789"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "commit_not_indexed")


def test_an_answer_quotes_the_source_or_says_that_there_is_none(synced: Synced) -> None:
    client = synced.tenant.client
    told = _ok(client.post("/api/v1/ask", json={"question": "What is the pause before the next attempt?"}))
    assert told["answered"]
    assert {citation["citation"]["path"] for citation in told["citations"]} == {"src/retry.py"}
    nothing = _ok(client.post("/api/v1/ask", json={"question": "Which butterflies winter in Mexico?"}))
    assert (nothing["answered"], nothing["answer"]) == (False, "Not in the sources.")


def test_a_compaction_changes_no_answer_and_another_model_takes_over_without_a_gap(synced: Synced) -> None:
    client = synced.tenant.client

    def positions() -> list[tuple[str, float]]:
        return [(hit["source_id"], hit["score"]) for hit in synced.search("retry delay ceiling")]

    before = positions()
    assert client.post("/api/v1/search/index/compact").status_code == 202
    state = _until(lambda: _ok(client.get("/api/v1/search/index")), lambda now: not now["log"]["segments"])
    assert state["chunks"] > 0
    assert positions() == before
    made = client.post("/api/v1/search/indexes", json={})
    assert made.status_code == 202
    path = f"/api/v1/search/indexes/{made.json()['id']}"
    _until(lambda: _ok(client.get(path))["build"], lambda build: build and build["ready"])
    _ok(client.post(f"{path}/activate"))
    assert _ok(client.get("/api/v1/search/index"))["id"] == made.json()["id"]
    assert positions() == before


def test_a_deleted_repository_is_gone_from_search_when_the_call_answers(synced: Synced) -> None:
    assert synced.search("retry delay")
    assert synced.tenant.client.delete(synced.path).status_code == 204
    assert synced.search("retry delay") == []
    assert synced.tenant.client.get(synced.path).status_code == 404
    assert synced.deliver().status_code == 403


def test_nothing_of_one_tenant_shows_to_another_or_to_nobody(
    synced: Synced, new_tenant: Callable[[], Tenant], client: httpx.Client
) -> None:
    stranger = new_tenant().client
    assert stranger.get(synced.path).status_code == 404
    assert _ok(stranger.post("/api/v1/search", json={"q": "retry delay"}))["items"] == []
    for path in (synced.path, "/api/v1/projects", "/api/v1/search?q=retry"):
        assert client.get(path).status_code in {401, 403}


def test_the_command_line_does_the_main_job_from_a_path_on_this_machine(
    tenant: Tenant, tmp_path: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_URL", str(tenant.client.base_url))
    monkeypatch.setenv("ALMANAC_API_KEY", tenant.api_key)
    monkeypatch.setenv("ALMANAC_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("ALMANAC_LOCAL_HOME", str(tmp_path / "home"))
    head = commit(tmp_path / "work", {"src/retry.py": SOURCE})
    try:
        synced = _cli("sync", str(tmp_path / "work"), "--wait")
        assert (synced["state"], synced["head"]) == ("synced", head)
        (hit, *_) = _cli("search", "retry delay", "--project", "work", "--kind", "code")["items"]
        assert hit["citation"]["path"] == "src/retry.py"
        assert _cli("push-webhook", synced["id"]) == {"status": "queued"}
        assert _cli("sync", str(tmp_path / "work"), "--wait")["id"] == synced["id"]
    finally:
        hosting.stop()


def _cli(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def _ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def _until(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found
