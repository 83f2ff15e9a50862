"""Detached processes of the local runtime: start one, know it again, stop it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOG_LIMIT_BYTES = 20_000_000


def start(command: list[str], log: Path, environment: Mapping[str, str], directory: Path) -> int:
    """Start a process that outlives this one, its output appended to `log`; returns its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 (our own arguments)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
    # It is meant to outlive this object, which would warn of that when it is collected.
    process.returncode = 0
    return process.pid


def is_alive(pid: int | None, marker: str) -> bool:
    """Tell whether `pid` runs and is ours: its command line holds `marker`. Numbers are re-used and prove nothing."""
    if pid is None:
        return False
    _reap(pid)
    return marker in _command_line(pid)


def stop(pid: int, marker: str, patience: float) -> bool:
    """Ask a process to end and wait up to `patience` seconds; returns whether it went by itself."""
    if not is_alive(pid, marker):
        return True
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if not is_alive(pid, marker):
            return True
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return False


def port_is_free(port: int) -> bool:
    """Tell whether a server could bind the port on loopback, and nothing answers there on another interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int, attempts: int = 50) -> int | None:
    """Return `preferred` or the next free port after it."""
    return next((port for port in range(preferred, preferred + attempts) if port_is_free(port)), None)


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        return _linux_command_line(Path(f"/proc/{pid}"))
    found = subprocess.run(  # noqa: S603 (a number)
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607 (ps is where the system has it)
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout


def _linux_command_line(process: Path) -> str:
    try:
        for _ in range(20):
            words = process.joinpath("cmdline").read_bytes()
            # Empty for a moment while the program is put in place of its parent's copy, and for good in a zombie.
            if words or ") Z " in process.joinpath("stat").read_text():
                return words.replace(b"\0", b" ").decode(errors="replace")
            time.sleep(0.005)
    except OSError:
        pass
    return ""


def _reap(pid: int) -> None:
    """Collect the process if it was our own child: a zombie would look alive."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
