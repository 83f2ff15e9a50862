import os
import subprocess
import sys
from pathlib import Path

import pytest

from almanac.embeddings.local import LocalEmbedder

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """Return the directory with the real model: `ALMANAC_MODEL_DIR`, or a copy fetched once into `.local/model`."""
    directory = Path(os.environ.get("ALMANAC_MODEL_DIR", ROOT / ".local" / "model"))
    subprocess.run([sys.executable, ROOT / "layers" / "model" / "fetch_model.py", directory], check=True)
    return directory


@pytest.fixture(scope="session")
def local(model_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(model_dir)
