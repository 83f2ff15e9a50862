"""What holds for every test."""

from collections.abc import Iterator

import pytest

from almanac.embeddings import base


@pytest.fixture(autouse=True, scope="session")
def _no_embedding_provider_over_the_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "ALLOW_NETWORK", False)
        yield
