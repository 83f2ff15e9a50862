from collections.abc import Iterator

import pytest

from documents.reading import process
from tests.support import tessdata


@pytest.fixture
def recognition(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the data of text recognition beside the libraries, as the layer has it."""
    monkeypatch.syspath_prepend(tessdata.fetched())
    process.pool.close()
    yield
    process.pool.close()
