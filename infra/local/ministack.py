"""MiniStack: the AWS of the local stage, in an environment and a process of its own, on loopback."""

import os
import re
import shutil
import time
from pathlib import Path

import httpx

from infra.local import environments, processes
from infra.local.errors import LocalError
from infra.local.layout import Layout, tool_environment

REQUIREMENTS = Path(__file__).with_name("requirements-ministack.txt")
MARKER = "infra-local-ministack"
START_SECONDS = 40.0
# Saving takes about two seconds; a busy machine, or a function that finishes first, takes longer.
STOP_SECONDS = 60.0
DISCARD_SECONDS = 2.0
REGION = "us-east-1"
# MiniStack takes any; these are the words that its own documentation uses.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

_STREAM_POSITIONS = re.compile(
    rb'("dynamodb_stream_positions": \{"__account_region_scoped__": true, "data": )\{[^{}]*\}'
)

# What a machine may need to reach git hosts and package indexes; everything else of a person's shell stays outside.
PASSED_ON = (
    "HOME", "LANG", "LC_ALL", "PATH", "TZ",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
)  # fmt: skip


def endpoint(port: int) -> str:
    return f"http://{processes.LOOPBACK}:{port}"


def install() -> bool:
    """Make MiniStack's environment; returns whether anything was done."""
    return environments.ensure(tool_environment("ministack"), [REQUIREMENTS])


def start(layout: Layout, port: int) -> int:
    """Start MiniStack with the stack's saved state; returns its pid. Call `wait_until_healthy` next."""
    # Functions unpack their code here; what a killed MiniStack left behind is of no use to the next.
    shutil.rmtree(layout.scratch, ignore_errors=True)
    for directory in (layout.scratch, layout.state, layout.objects):
        directory.mkdir(parents=True, exist_ok=True)
    _rewind_streams(layout)
    layout.running_marker.touch()
    python = str(environments.python_of(tool_environment("ministack")))
    # The marker is an argument that MiniStack never sees: it tells our process from another behind the same pid.
    program = "import sys; sys.argv = ['ministack']; from ministack.app import main; main()"
    return processes.start(
        [python, "-c", program, MARKER], layout.log("ministack"), _environment(layout, port), layout.home
    )


def move(layout: Layout, old_port: int, new_port: int) -> None:
    """Rewrite the saved state for another port: queues are known by addresses, and a mapping finds no other."""
    for path in layout.state.glob("*.json"):
        text = path.read_text()
        for host in ("localhost", processes.LOOPBACK):
            text = text.replace(f"{host}:{old_port}/", f"{host}:{new_port}/")
        path.write_text(text)


def _rewind_streams(layout: Layout) -> None:
    """Let every stream be read from its start, as it is: empty.

    MiniStack saves how far each mapping has read and not the stream itself, so that after a restart it would skip as
    many new records as there had been old ones.
    """
    path = layout.state / "lambda.json"
    if path.exists():
        saved = path.read_bytes()
        rewound = _STREAM_POSITIONS.sub(rb"\1{}", saved)
        if rewound != saved:
            path.write_bytes(rewound)


def _environment(layout: Layout, port: int) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "BIND_HOST": processes.LOOPBACK,
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(layout.scratch),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(layout.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(layout.objects),
        "LOG_LEVEL": "WARNING",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Listeners and helpers that Almanac has no use for. Without a Docker socket it leaves containers alone.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{layout.home}/no-docker.sock",
    }


def is_healthy(port: int, timeout: float = 2.0) -> bool:
    try:
        return httpx.get(f"{endpoint(port)}/_ministack/health", timeout=timeout, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until_healthy(layout: Layout, pid: int, port: int) -> None:
    """Return when MiniStack answers; raises `LocalError` with its last words when it ends or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if is_healthy(port):
            return
        if not processes.is_alive(pid, MARKER):
            raise LocalError(
                f"MiniStack ended while it started:\n{last_words(layout.log('ministack'))}",
                f"Read {layout.log('ministack')}; 'almanac down --clean' starts from nothing.",
            )
        time.sleep(0.1)
    processes.stop(pid, MARKER, 5.0)
    raise LocalError(
        f"MiniStack did not answer on port {port} within {START_SECONDS:.0f} s.",
        f"Read {layout.log('ministack')}, then try 'almanac up' again.",
    )


def stop(layout: Layout, pid: int, patience: float = STOP_SECONDS) -> bool:
    """Stop MiniStack, leaving it `patience` seconds to save; returns whether it saved."""
    saved = processes.stop(pid, MARKER, patience)
    if saved:
        layout.running_marker.unlink(missing_ok=True)
    shutil.rmtree(layout.scratch, ignore_errors=True)
    return saved


def last_words(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"
