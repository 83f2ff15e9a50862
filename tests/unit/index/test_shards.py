"""Shards answer together exactly like the index that they are parts of."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.index.shards import shard_of


@pytest.mark.parametrize(
    ("source_id", "shards", "shard"),
    [
        ("", 1, 0),
        ("message:01HZX", 2, 0),
        ("message:01HZX", 8, 3),
        ("file:repo:src/main.py", 3, 1),
        ("file:repo:src/main.py", 64, 40),
        ("сообщение", 5, 2),
        ("\ud800", 7, 4),
    ],
)
def test_a_source_stays_in_its_shard_for_ever(source_id: str, shards: int, shard: int) -> None:
    assert shard_of(source_id, shards) == shard


@given(st.text(), st.integers(1, 64))
def test_every_source_has_a_shard(source_id: str, shards: int) -> None:
    assert 0 <= shard_of(source_id, shards) < shards


@pytest.mark.parametrize("shards", [2, 3, 7, 8, 16])
def test_sources_are_spread_evenly(shards: int) -> None:
    counts = Counter(
        shard_of(f"repository:01J{number:08}:path/to/file_{number}.py", shards) for number in range(20_000)
    )
    expected = 20_000 / shards
    assert len(counts) == shards
    # The 99.99th percentile of the chi-squared distribution with 15 degrees of freedom is 44.3.
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 44.3


def test_an_index_without_shards_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        shard_of("a", 0)
