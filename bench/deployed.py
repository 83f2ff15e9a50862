"""The deployed stack for benchmarks: brought up beside a person's own, removed afterwards.

`ALMANAC_BENCH_HOME=.local/stack` measures a stack that stands already, and leaves it as it is.
"""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from almanac_cli.client import Api, Document
from bench.report import progress
from infra.local import deploy
from infra.local.git_server import GitServer
from infra.local.layout import SHARED
from infra.local.stack import LocalStack, StackInfo

MINISTACK_PORT = 24566
EDGE_PORT = 28080


@dataclass(frozen=True)
class Deployed:
    """A running stack, and a tenant of the benchmark's own in it."""

    info: StackInfo
    tenant_id: str
    api: Api

    def project(self, name: str) -> str:
        return str(self.api.post("/api/v1/projects", {"name": name})["id"])


@contextmanager
def deployed() -> Iterator[Deployed]:
    """Give a deployed stack with an empty tenant."""
    standing = os.environ.get("ALMANAC_BENCH_HOME")
    stack = LocalStack(Path(standing)) if standing else LocalStack(SHARED / "bench", MINISTACK_PORT, EDGE_PORT)
    if not standing:
        stack.down(clean=True)
    info = stack.info() if standing else stack.up(progress)
    try:
        created = _tenant(info)
        with Api(info.api_url, created["api_key"]) as api:
            yield Deployed(info, created["tenant_id"], api)
    finally:
        if not standing:
            stack.down(clean=True)


@contextmanager
def git_host() -> Iterator["Host"]:
    """Give a git server on loopback with one repository to write to."""
    with tempfile.TemporaryDirectory() as directory, GitServer(Path(directory)) as server:
        yield Host(server, Path(directory) / "work")


@dataclass(frozen=True)
class Host:
    """A working copy and the server that publishes it."""

    server: GitServer
    work: Path

    def push(self, files: Mapping[str, str], message: str = "Change") -> str:
        """Commit the files, publish the commit, and return its id."""
        if not self.work.exists():
            _git("init", "--quiet", "--initial-branch=main", str(self.work))
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        at = ("-C", str(self.work))
        _git(*at, "add", "--all")
        identity = ("-c", "user.name=Bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
        _git(*at, *identity, "commit", "--quiet", "--message", message)
        self.server.publish(self.work, "bench")
        return _git(*at, "rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return self.server.url("bench")


def rare_word() -> str:
    """Return a word that occurs nowhere else."""
    return "".join(random.choices("bcdfghjklmnpqrstvwxz", k=14))


def _tenant(info: StackInfo) -> Document:
    answer = deploy.client("lambda", deploy.port_of(info.endpoint_url)).invoke(
        FunctionName=info.outputs["IdentityAdminFunction"],
        Payload=json.dumps({"action": "create_tenant", "name": "Bench"}).encode(),
    )
    created: dict[str, Any] = json.loads(answer["Payload"].read())
    if "api_key" not in created:
        raise RuntimeError(f"no tenant was created: {created}")
    return created


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()
