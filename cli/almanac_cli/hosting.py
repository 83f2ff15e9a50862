"""Local repositories on loopback: a path becomes an address that the local stack can sync from.

One detached process serves bare copies under the local stack's home. Its port is remembered, so that a repository keeps
its address from one day to the next; `almanac down` stops it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx

from almanac_cli.errors import CliError, Exit

MARKER = "almanac_cli.git_host"
PREFERRED_PORT = 8090
START_SECONDS = 10.0


def serve(path: Path) -> str:
    """Publish what is committed in the repository at `path` and return its address; raises `CliError`."""
    top = _top_level(path)
    name = f"{_slug(top.name)}-{hashlib.sha256(str(top).encode()).hexdigest()[:8]}"
    _publish(top, _directory() / f"{name}.git")
    return f"http://127.0.0.1:{_ensure_running()}/{name}.git"


def stop() -> bool:
    """Stop the server; returns whether it ran."""
    from infra.local import processes

    record = _load()
    ran = processes.is_alive(record.get("pid"), MARKER)
    if ran:
        processes.stop(record["pid"], MARKER, 5.0)
    return ran


def has_uncommitted_changes(path: Path) -> bool:
    """Tell whether the working tree holds what a sync will not see."""
    return bool(_git("-C", str(path), "status", "--porcelain", "--untracked-files=no"))


def _top_level(path: Path) -> Path:
    if not path.is_dir():
        raise CliError(f"There is no directory {path}.", "Check the path.", Exit.USAGE)
    git_directory = _git("-C", str(path), "rev-parse", "--absolute-git-dir", check=False)
    if not git_directory:
        raise CliError(f"{path} is not in a git repository.", "Give a repository's path.", Exit.USAGE)
    if not _git("-C", str(path), "rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False):
        raise CliError(f"{path} has no commits yet.", "Commit something there, then try again.", Exit.USAGE)
    bare = _git("-C", str(path), "rev-parse", "--is-bare-repository") == "true"
    return Path(git_directory) if bare else Path(_git("-C", str(path), "rev-parse", "--show-toplevel"))


def _publish(source: Path, target: Path) -> None:
    """Bring the bare copy to the source's branches. HEAD is always there, detached or not."""
    if (target / "shallow").exists():
        # It would stay shallow when the source no longer is.
        shutil.rmtree(target)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _git("init", "--quiet", "--bare", str(target))
    branch = _git("-C", str(source), "symbolic-ref", "--quiet", "--short", "HEAD", check=False) or "main"
    # A shallow source makes a shallow copy.
    fetch = ("-C", str(target), "fetch", "--quiet", "--force", "--update-shallow", "--no-tags")
    _git(*fetch, "--prune", str(source), "+refs/heads/*:refs/heads/*")
    _git(*fetch, str(source), f"+HEAD:refs/heads/{branch}")
    _git("-C", str(target), "symbolic-ref", "HEAD", f"refs/heads/{branch}")


def _ensure_running() -> int:
    from infra.local import processes
    from infra.template import ROOT

    record = _load()
    if processes.is_alive(record.get("pid"), MARKER) and _answers(record["port"]):
        return int(record["port"])
    port = processes.free_port(int(record.get("port", PREFERRED_PORT)))
    if port is None:
        raise CliError("There is no free port to serve the repository on.", "Stop a server, then try again.")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")])}
    command = [sys.executable, "-m", MARKER, "--port", str(port), str(_directory())]
    _directory().mkdir(parents=True, exist_ok=True)
    pid = processes.start(command, _home() / "git-host.log", environment, _home())
    _record().write_text(json.dumps({"pid": pid, "port": port}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _answers(port):
            return port
        time.sleep(0.05)
    raise CliError(f"The git server did not start on port {port}.", f"Look at {_home() / 'git-host.log'}.")


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=2.0, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def _home() -> Path:
    from infra.local.layout import Layout

    return Layout.default().home


def _directory() -> Path:
    return _home() / "repositories"


def _record() -> Path:
    return _home() / "git-host.json"


def _load() -> dict[str, int]:
    try:
        return dict(json.loads(_record().read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _slug(name: str) -> str:
    kept = "".join(character if character.isascii() and character.isalnum() else "-" for character in name.lower())
    return kept.strip("-")[:40] or "repository"


def _git(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if check and done.returncode != 0:
        raise CliError(f"git failed: {done.stderr.strip()}", "Run 'git fsck' in the repository.")
    return done.stdout.strip()
