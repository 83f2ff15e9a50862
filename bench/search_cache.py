"""Where the search benchmark keeps what takes long to make: outside of the repository, for the next run."""

import os
from pathlib import Path


def cache(name: str) -> Path:
    """Return a folder under `$XDG_CACHE_HOME/almanac-bench`, made when it is missing."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "almanac-bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
