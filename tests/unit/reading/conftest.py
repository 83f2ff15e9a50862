import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents.reading import process

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def tessdata() -> Path:
    """Return a directory with Tesseract's data in `tessdata`: the cache of the build, filled once."""
    directory = Path(os.environ.get("ALMANAC_MODEL_DIR", ROOT / ".local" / "model"))
    fetch = ROOT / "layers" / "documents" / "fetch_tessdata.py"
    subprocess.run([sys.executable, fetch, directory / "tessdata"], check=True)
    return directory


@pytest.fixture
def recognition(tessdata: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the data of text recognition beside the libraries, as the layer has it."""
    monkeypatch.syspath_prepend(tessdata)
    process.pool.close()
    yield
    process.pool.close()
