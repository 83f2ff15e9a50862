"""The peers' environment, and running one of them in it."""

import json
import os
import subprocess
import sys
import venv
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.report import progress
from bench.search_cache import cache

PEERS = Path(__file__).parent / "peers"
REQUIREMENTS = PEERS / "requirements.txt"


def environment() -> Path:
    """Return the peers' own interpreter, in the cache: nothing of theirs ever meets the project's packages."""
    folder = cache("peers-" + sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12])
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        progress("peers: installing them in an environment of their own")
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "-qq", "-r", str(REQUIREMENTS)]
        # With PYTHONPATH, pip would look at the project as if it were installed there.
        settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run(command, check=True, stdout=2, env=settings)
        done.touch()
    return python


def run(name: str, folder: Path, rows: int) -> dict[str, Any] | str:
    """Return a peer's figures on one core, or why there are none. What it builds is kept for the same vectors."""
    stamp = sha256((folder / "vectors.json").read_bytes() + (PEERS / f"{name}_peer.py").read_bytes()).hexdigest()[:12]
    target = cache("built") / f"{name}-{rows}-{stamp}"
    core = str(max(os.sched_getaffinity(0)))
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "LANCE_CPU_THREADS"), "1")
    settings = {**os.environ, **alone, "ANONYMIZED_TELEMETRY": "False", "TOKENIZERS_PARALLELISM": "false"}
    settings.pop("PYTHONPATH", None)
    command = ["taskset", "-c", core, str(environment()), str(PEERS / f"{name}_peer.py")]
    progress(f"peers: {name}, {rows:,} chunks")
    arguments = [str(folder), str(rows), str(target)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=settings)
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures
