"""What text recognition reads by, as the documents layer has it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fetched() -> Path:
    """Return a directory that holds `tessdata`, filled once: where the build keeps what it has fetched."""
    directory = Path(os.environ.get("ALMANAC_MODEL_DIR", ROOT / ".local" / "model"))
    fetch = ROOT / "layers" / "documents" / "fetch_tessdata.py"
    subprocess.run([sys.executable, fetch, directory / "tessdata"], check=True, stdout=subprocess.DEVNULL)
    return directory
