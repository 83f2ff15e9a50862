"""The local stack as a whole: bring it up, take it down, say how it is.

`LocalStack.default().up()` is what `almanac up` does; tests and benchmarks use the same class with a home of their own.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from infra.local import build, deploy, environments, ministack, processes
from infra.local.errors import LocalError, NotRunning
from infra.local.layout import EDGE_HEALTH_PATH, SHARED, Layout
from infra.template import ROOT

EDGE_MARKER = "infra.local.edge"
MINISTACK_PORT = 4566
EDGE_PORT = 8080
EDGE_START_SECONDS = 15.0
# Environments, layers, and a copy of the layers for every warm function.
FIRST_RUN_BYTES = 4_000_000_000
RUN_BYTES = 1_000_000_000

Report = Callable[[str], None]
Health = Literal["running", "stopped", "broken"]


@dataclass
class Record:
    """What the stack remembers between commands: its ports, and the processes that it started."""

    ministack_port: int = 0
    edge_port: int = 0
    ministack_pid: int | None = None
    edge_pid: int | None = None
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackInfo:
    """A running stack: `api_url` for people, `endpoint_url` for AWS clients, and the template's outputs."""

    api_url: str
    endpoint_url: str
    outputs: dict[str, str]
    region: str = ministack.REGION


@dataclass(frozen=True)
class Status:
    """How the stack is. `problem` says what is wrong with a broken one."""

    health: Health
    info: StackInfo | None = None
    problem: str | None = None
    up_to_date: bool | None = None


class LocalStack:
    """One local stack under one home directory. Ports are preferences: the next free ones are taken and remembered."""

    def __init__(self, home: Path, ministack_port: int = MINISTACK_PORT, edge_port: int = EDGE_PORT) -> None:
        self.layout = Layout(home.resolve())
        self._ports = (ministack_port, edge_port)

    @classmethod
    def default(cls) -> "LocalStack":
        """Return the checkout's own stack."""
        return cls(Layout.default().home)

    def up(self, report: Report = lambda _step: None) -> StackInfo:
        """Bring the stack up and to the newest code; a stack that stands and is up to date is left as it is."""
        _check_tools()
        self._check_disk()
        record = self._load()
        starting = not self._ministack_stands(record)
        if starting:
            report("preparing MiniStack")
            ministack.install()
            self._start_ministack(record, report)
        newest = self._built(report)
        port = record.ministack_port
        if starting:
            ministack.wait_until_healthy(self.layout, record.ministack_pid or 0, port)
        self._choose_edge_port(record)
        standing = deploy.deployed(port)
        if standing is None or standing[0] != deploy.digest_of(newest.digest, _api_url(record)):
            report("deploying template.yaml")
            record.outputs = deploy.deploy(newest, port, _api_url(record))
        else:
            record.outputs = standing[1]
        self._save(record)
        self._ensure_edge(record, report)
        if starting and standing is not None:
            deploy.reconcile(port, record.outputs)
        return self._info(record)

    def down(self, report: Report = lambda _step: None, clean: bool = False) -> bool:
        """Stop the stack, saving its data, or removing it with `clean`; returns whether anything ran."""
        record = self._load()
        ran = False
        if processes.is_alive(record.edge_pid, EDGE_MARKER):
            ran = True
            processes.stop(record.edge_pid or 0, EDGE_MARKER, 5.0)
        saved = True
        if processes.is_alive(record.ministack_pid, ministack.MARKER):
            ran = True
            report("stopping MiniStack" if clean else "saving data and stopping MiniStack")
            patience = ministack.DISCARD_SECONDS if clean else ministack.STOP_SECONDS
            saved = ministack.stop(self.layout, record.ministack_pid or 0, patience)
        record.edge_pid = record.ministack_pid = None
        self._save(record)
        if clean:
            shutil.rmtree(self.layout.home, ignore_errors=True)
        elif not saved:
            raise LocalError(
                f"MiniStack did not stop within {ministack.STOP_SECONDS:.0f} s and was killed; unsaved data is lost.",
                "'almanac up' goes on with the data of the last clean stop; 'almanac down --clean' removes it.",
            )
        return ran

    def status(self) -> Status:
        """Say how the stack is, without changing anything."""
        record = self._load()
        alive = processes.is_alive(record.ministack_pid, ministack.MARKER)
        edge_alive = processes.is_alive(record.edge_pid, EDGE_MARKER)
        if not alive and not edge_alive:
            return Status("stopped")
        if not alive:
            return Status("broken", problem="MiniStack has ended by itself. 'almanac up' starts it again.")
        if not ministack.is_healthy(record.ministack_port):
            return Status("broken", problem=f"MiniStack runs but does not answer on port {record.ministack_port}.")
        standing = deploy.deployed(record.ministack_port)
        if standing is None:
            return Status("broken", problem="The template is not deployed, or its last deployment failed.")
        if not edge_alive or not _edge_answers(record):
            return Status("broken", self._info(record), f"Nothing of ours answers on {_api_url(record)}.")
        return Status(
            "running",
            self._info(record),
            up_to_date=standing[0] == deploy.digest_of(build.source_digest(), _api_url(record)),
        )

    def info(self) -> StackInfo:
        """Return a running stack's addresses; raises `NotRunning` otherwise."""
        status = self.status()
        if status.info is None or status.health != "running":
            raise NotRunning(status.problem or "The local stack does not run.", "Start it with 'almanac up'.")
        return status.info

    def _ministack_stands(self, record: Record) -> bool:
        """Tell whether our MiniStack answers; a half-dead one is put away first."""
        if not processes.is_alive(record.ministack_pid, ministack.MARKER):
            return False
        if ministack.is_healthy(record.ministack_port, timeout=10.0):
            return True
        ministack.stop(self.layout, record.ministack_pid or 0)
        return False

    def _start_ministack(self, record: Record, report: Report) -> None:
        if self.layout.running_marker.exists():
            report("the last stop saved nothing: going on with the data of the last clean stop")
        wanted = record.ministack_port or self._ports[0]
        port = processes.free_port(wanted)
        if port is None:
            raise LocalError(
                f"No free port from {wanted} on.", "Stop a server that listens there, or restart the machine."
            )
        if record.ministack_port and port != record.ministack_port:
            report(f"port {record.ministack_port} is taken by another program: using {port}")
            ministack.move(self.layout, record.ministack_port, port)
        record.ministack_port = port
        record.ministack_pid = ministack.start(self.layout, port)
        self._save(record)

    def _built(self, report: Report) -> build.Build:
        finished = build.built()
        if finished is not None:
            return finished
        report("preparing the SAM CLI")
        build.install()
        report("building functions and layers")
        return build.build()

    def _choose_edge_port(self, record: Record) -> None:
        if processes.is_alive(record.edge_pid, EDGE_MARKER):
            return
        wanted = record.edge_port or self._ports[1]
        port = processes.free_port(wanted)
        if port is None:
            raise LocalError(f"No free port from {wanted} on.", "Stop a server that listens there.")
        record.edge_port = port

    def _ensure_edge(self, record: Record, report: Report) -> None:
        if processes.is_alive(record.edge_pid, EDGE_MARKER):
            if _edge_answers(record):
                return
            processes.stop(record.edge_pid or 0, EDGE_MARKER, 5.0)
        report("opening the API's address")
        upstream = f"{ministack.endpoint(record.ministack_port)}/_aws/execute-api/{record.outputs['ApiId']}/$default"
        command = [sys.executable, "-m", EDGE_MARKER, "--port", str(record.edge_port), "--upstream", upstream]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        record.edge_pid = processes.start(command, self.layout.log("edge"), environment, self.layout.home)
        self._save(record)
        waiting = threading.Event()
        for _ in range(int(EDGE_START_SECONDS / 0.05)):
            if _edge_answers(record):
                return
            if not processes.is_alive(record.edge_pid, EDGE_MARKER):
                break
            waiting.wait(0.05)
        raise LocalError(
            f"The edge did not start on {_api_url(record)}:\n{ministack.last_words(self.layout.log('edge'))}",
            "If another program took the port in this moment, 'almanac up' chooses the next one.",
        )

    def _check_disk(self) -> None:
        self.layout.home.mkdir(parents=True, exist_ok=True)
        needed = RUN_BYTES if environments.python_of(SHARED / "tools" / "sam").exists() else FIRST_RUN_BYTES
        free = shutil.disk_usage(self.layout.home).free
        if free < needed:
            raise LocalError(
                f"{self.layout.home} is on a disk with {free / 1e9:.1f} GB left; this needs {needed / 1e9:.0f} GB.",
                "Free some space ('almanac down --clean' and 'make clean' remove what Almanac keeps), then try again.",
            )

    def _load(self) -> Record:
        try:
            return Record(**json.loads(self.layout.record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return Record()

    def _save(self, record: Record) -> None:
        self.layout.home.mkdir(parents=True, exist_ok=True)
        aside = self.layout.record.with_suffix(".part")
        aside.write_text(json.dumps(asdict(record), indent=2))
        aside.replace(self.layout.record)

    def _info(self, record: Record) -> StackInfo:
        return StackInfo(_api_url(record), ministack.endpoint(record.ministack_port), record.outputs)


def _api_url(record: Record) -> str:
    return f"http://{processes.LOOPBACK}:{record.edge_port}"


def _edge_answers(record: Record) -> bool:
    """Tell whether our edge answers there, and for this very stack."""
    try:
        answer = httpx.get(f"{_api_url(record)}{EDGE_HEALTH_PATH}", timeout=2.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    return str(answer.get("upstream", "")).startswith(f"{ministack.endpoint(record.ministack_port)}/")


def _check_tools() -> None:
    for tool, use in (("git", "to sync repositories"), ("make", "to build the layers")):
        if shutil.which(tool) is None:
            raise LocalError(
                f"'{tool}' is missing; the local stack needs it {use}.", f"Install {tool}, then try again."
            )
