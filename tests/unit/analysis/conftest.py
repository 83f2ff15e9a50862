import os
import subprocess
import sys
from pathlib import Path

import pytest

from almanac.embeddings.local import LocalEmbedder

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def local() -> LocalEmbedder:
    """Return the real model, from `ALMANAC_MODEL_DIR` or a copy fetched once into `.local/model`."""
    directory = Path(os.environ.get("ALMANAC_MODEL_DIR", ROOT / ".local" / "model"))
    subprocess.run([sys.executable, ROOT / "layers" / "model" / "fetch_model.py", directory], check=True)
    return LocalEmbedder(directory)
