"""Where the local runtime keeps things.

What every stack shares (tools, built layers) is under `.local/` of the checkout; what belongs to one stack (its data,
logs and ports) under that stack's own home, so that tests run beside a person's stack without touching it.
"""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.template import ROOT

SHARED = ROOT / ".local"
EDGE_HEALTH_PATH = "/_edge/health"


@dataclass(frozen=True)
class Layout:
    """The files of one local stack."""

    home: Path

    @classmethod
    def default(cls) -> "Layout":
        """Return the layout of the checkout's own stack; `ALMANAC_LOCAL_HOME` moves it."""
        return cls(Path(os.environ.get("ALMANAC_LOCAL_HOME") or SHARED / "stack").resolve())

    @property
    def record(self) -> Path:
        return self.home / "stack.json"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def objects(self) -> Path:
        return self.home / "objects"

    @property
    def scratch(self) -> Path:
        return self.home / "tmp"

    @property
    def running_marker(self) -> Path:
        """Stands while MiniStack runs: found at a start, it tells of a stop that saved nothing."""
        return self.home / "running"

    def log(self, process: str) -> Path:
        return self.home / f"{process}.log"


def tool_environment(tool: str) -> Path:
    return SHARED / "tools" / tool


def build_directory() -> Path:
    return SHARED / "build"


def artifact_directory() -> Path:
    return SHARED / "artifacts"


def model_cache() -> Path:
    return SHARED / "model"


def python_runtime() -> str:
    """Return the Lambda runtime that matches this interpreter. Example: `python3.13`."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def architecture() -> str:
    """Return this machine's processor in Lambda's words."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"
