"""Planted secrets, looked for in everything that a run leaves behind: items, messages, logs, answers and errors."""

import base64
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient

from almanac.aws.table import plain
from almanac.text.secrets import scan
from tests.integration.harness import READ, Answer, Stack

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
ROOT = Path(__file__).parents[2]


def some(length: int, seed: int) -> str:
    return "".join(Random(seed).choices(LETTERS, k=length))


@dataclass
class Run:
    """A tenant whose every call is recorded. `secrets` are the markers, by what they were planted as."""

    stack: Stack
    tenant: str
    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    outbox: list[str] = field(default_factory=list)

    def call(self, slice_name: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        answer = self.stack.call(slice_name, method, f"/api/v1{path}", body, tenant=self.tenant, **more)
        self.answers.append(f"{method} {path}: {answer.status} {answer.headers} {answer.text}")
        return answer

    def told(self, answer: Answer, secret: str, name: str) -> None:
        """Note a secret that this one answer is there to show; any other that shows it is a leak."""
        assert secret in self.answers.pop() and answer.status < 300
        self.secrets[name] = secret

    def items(self) -> list[dict[str, Any]]:
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
        found = [plain(item) for page in pages for item in page["Items"]]
        return [item for item in found if self.tenant in item["pk"]]

    def leaks(self, name: str, texts: list[str]) -> list[str]:
        """Return where a secret stands, as it is or encoded."""
        secret = self.secrets[name]
        forms = {secret, base64.b64encode(secret.encode()).decode().rstrip("="), secret.encode().hex()}
        return [text[:200] for text in texts if any(form in text for form in forms)]


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return a run in a new tenant; what is sent to queues is recorded on its way."""
    made = Run(stack, stack.tenant())
    original, original_async = BaseClient._make_api_call, AioBaseClient._make_api_call  # type: ignore[attr-defined]

    def record(operation: str, parameters: Any) -> None:
        if operation.startswith("SendMessage"):
            made.sent.append(json.dumps(parameters, default=str))

    def call(client: Any, operation: str, parameters: Any) -> Any:
        record(operation, parameters)
        return original(client, operation, parameters)

    async def call_async(client: Any, operation: str, parameters: Any) -> Any:
        record(operation, parameters)
        return await original_async(client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    monkeypatch.setattr(AioBaseClient, "_make_api_call", call_async)
    yield made


def settle(run: Run) -> None:
    """Sync once, which fails, and let everything else come to rest; the outbox is recorded on its way."""
    run.outbox += [item["body"]["S"] for item in run.stack.outbox()]
    run.stack.relay()
    run.stack.deliver("Sync")
    while run.stack.relay() + sum(run.stack.deliver(queue) for queue in ("Embedding", "Projects", "Index", "Identity")):
        run.outbox += [item["body"]["S"] for item in run.stack.outbox()]


def test_no_secret_is_left_anywhere_but_where_it_belongs(
    run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plant(run)
    misuse(run)
    settle(run)
    logs = [*capsys.readouterr().out.splitlines(), *(record.getMessage() for record in caplog.records)]
    items: dict[str, list[str]] = {}
    for item in run.items():
        items.setdefault(item["entity"], []).append(repr(item))
    dead = [json.dumps(each) for queue in ("Sync", "Embedding", "Projects") for each in run.stack.dead_letters(queue)]
    assert logs and run.outbox and run.sent and len(run.secrets) == 5
    for name in run.secrets:
        places = {"logs": logs, "outbox": run.outbox, "queues": run.sent, "dead letters": dead, "answers": run.answers}
        places |= {f"items: {entity}": texts for entity, texts in items.items()}
        if name == "content":
            # The author's text is kept as it was written.
            del places["items: message"]
        found = {place: leaks for place, texts in places.items() if (leaks := run.leaks(name, texts))}
        assert not found, f"{name}: {found}"


def plant(run: Run) -> None:
    """Give Almanac every sort of secret that it takes."""
    project = run.call("projects", "POST", "/projects", {"name": "Payments"}).json["id"]
    run.secrets["token"] = f"glpat-{some(20, 1)}"
    repositories = f"/projects/{project}/repositories"
    # Nothing listens there: the sync fails, and says so with the address.
    body = {"url": "http://127.0.0.1:9/acme/app.git", "access_token": run.secrets["token"]}
    connected = run.call("projects", "POST", repositories, body)
    run.told(connected, connected.json["webhook"]["secret"], "first webhook secret")
    repository = connected.json["id"]
    rotated = run.call("projects", "POST", f"{repositories}/{repository}/webhook-secret")
    run.told(rotated, rotated.json["secret"], "second webhook secret")
    deliver(run, repository, run.secrets["second webhook secret"])
    run.secrets["provider key"] = f"sk-proj-{some(60, 2)}"
    run.call("identity", "PUT", "/provider-keys/openai", {"key": run.secrets["provider key"]})
    run.secrets["content"] = f"ghp_{some(36, 3)}"
    checkpoint = run.call("projects", "POST", "/checkpoints", {"project_id": project, "name": "Review"}).json["id"]
    text = f"elephants use {run.secrets['content']}"
    message = run.call("projects", "POST", "/messages", {"checkpoint_id": checkpoint, "content": text}).json["id"]
    for _ in range(2):
        run.call("search", "GET", "/search", query={"q": "elephants"})
        run.call("search", "POST", "/ask", {"question": "what do elephants use?"})
        settle(run)
    run.call("projects", "GET", f"/messages/{message}", scope=READ)
    run.call("projects", "GET", "/messages", query={"checkpoint_id": checkpoint})
    run.call("projects", "GET", f"{repositories}/{repository}")
    run.call("projects", "GET", repositories)
    run.call("identity", "GET", "/provider-keys")
    findings = run.call("search", "GET", "/secret-findings").json["items"]
    assert [found["kind"] for found in findings] == ["github_token"]
    run.call("identity", "GET", "/audit")


def deliver(run: Run, repository: str, secret: str) -> None:
    """Send a delivery that is signed with the secret, and one that has the secret itself for a signature."""
    body = json.dumps({"ref": "refs/heads/main", "after": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"}).encode()
    for signature in (hmac.new(secret.encode(), body, "sha256").hexdigest(), secret):
        headers = {
            "x-hub-signature-256": f"sha256={signature}",
            "x-github-event": "push",
            "x-github-delivery": some(32, 4),
            "content-type": "application/json",
        }
        path = f"/webhooks/github/{run.tenant}/{repository}"
        run.call("webhooks", "POST", path, body, headers=headers)


def misuse(run: Run) -> None:
    """Send secrets where they are refused: in a field of the wrong form, twice, in the wrong place."""
    for secret in list(run.secrets.values()):
        bodies: list[Any] = [
            {"url": "https://git.example.org/a/b.git", "access_token": [secret]},
            {"url": f"https://user:{secret}@git.example.org/a/b.git"},
            {"url": "https://git.example.org/a/b.git", "unknown": secret},
            {"url": {"a": secret}},
        ]
        for body in bodies:
            run.call("projects", "POST", "/projects/prj_01k9zq3v7m8x2c4b6n0d1f5g7h/repositories", body)
        bodies = [
            {"key": [secret]},
            {"key": secret, "base_url": f"http://a.example.org/{secret}"},
            {"key": f"{secret} "},
        ]
        for body in [*bodies, secret]:
            run.call("identity", "PUT", "/provider-keys/openai", body)
        run.call("projects", "POST", "/messages", {"checkpoint_id": "chk_1", "content": {"a": secret}})


def test_no_example_of_the_api_is_taken_for_a_secret() -> None:
    text = (ROOT / "functions" / "console" / "openapi.json").read_text()
    assert [text[found.start : found.end] for found in scan(text)] == []
