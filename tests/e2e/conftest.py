"""The deployed stack, over HTTP: brought up once for all end-to-end tests, beside a person's own.

`ALMANAC_E2E_HOME=.local/stack` runs them against a stack that stands already, and leaves it as it is.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from infra.local import deploy
from infra.local.git_server import GitServer
from infra.local.layout import SHARED
from infra.local.stack import LocalStack, StackInfo

MINISTACK_PORT = 14566
EDGE_PORT = 18080


@dataclass(frozen=True)
class Tenant:
    """A tenant of its own for one test: its id, its first key, and a client that sends the key."""

    id: str
    api_key: str
    client: httpx.Client


@pytest.fixture(scope="session")
def stack() -> Iterator[StackInfo]:
    standing = os.environ.get("ALMANAC_E2E_HOME")
    if standing:
        yield LocalStack(Path(standing)).info()
        return
    local = LocalStack(SHARED / "e2e", MINISTACK_PORT, EDGE_PORT)
    local.down(clean=True)
    yield local.up()
    local.down(clean=True)


@pytest.fixture(scope="session")
def client(stack: StackInfo) -> Iterator[httpx.Client]:
    """A client without a key. The first call of a function unpacks its layers, hence the patience."""
    with httpx.Client(base_url=stack.api_url, timeout=60.0, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def administer(stack: StackInfo) -> Callable[..., dict[str, str]]:
    """Invoke the function that creates tenants and keys, as an operator does: through the Lambda API."""
    lambda_ = deploy.client("lambda", deploy.port_of(stack.endpoint_url))

    def invoke(**command: str) -> dict[str, str]:
        function = stack.outputs["IdentityAdminFunction"]
        answer = lambda_.invoke(FunctionName=function, Payload=json.dumps(command).encode())
        body: dict[str, str] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, body
        return body

    return invoke


@pytest.fixture
def new_tenant(stack: StackInfo, administer: Callable[..., dict[str, str]]) -> Iterator[Callable[[], Tenant]]:
    clients: list[httpx.Client] = []

    def create() -> Tenant:
        created = administer(action="create_tenant", name="End to end")
        headers = {"authorization": f"Bearer {created['api_key']}"}
        clients.append(httpx.Client(base_url=stack.api_url, headers=headers, timeout=60.0, trust_env=False))
        return Tenant(created["tenant_id"], created["api_key"], clients[-1])

    yield create
    for client in clients:
        client.close()


@pytest.fixture
def tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    return new_tenant()


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as server:
        yield server


@pytest.fixture
def commit() -> Callable[..., str]:
    """Write files (None deletes one) into a working copy, commit them, and return the commit's id."""

    def write(work: Path, files: dict[str, bytes | None], message: str = "Change") -> str:
        if not (work / ".git").exists():
            _git(work.parent, "init", "--quiet", "--initial-branch=main", str(work))
        for name, content in files.items():
            path = work / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        _git(work, "add", "--all")
        author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
        _git(work, *author, "commit", "--quiet", "--allow-empty", "--message", message)
        return _git(work, "rev-parse", "HEAD")

    return write


def _git(directory: Path, *arguments: str) -> str:
    completed = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return completed.stdout.strip()
