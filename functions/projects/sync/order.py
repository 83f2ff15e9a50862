"""In which order a run sends what differs: first what answers questions, so that a repository answers well while most
of it still waits to be embedded.

A run's cursor counts groups in the order that the run began with, so the number of that order is kept with the run.
"""

import re
from enum import IntEnum

AS_WALKED = 0
"""The order of runs that began before there was another: files as the trees are walked, then commits."""
BY_RANK = 1
"""By `Rank`, and within one as the trees are walked. Whoever changes what is of which rank gives it another number."""


class Rank(IntEnum):
    """What is sent together, first to last."""

    GUIDE = 0
    CODE = 1
    TEST = 2
    COMMIT = 3
    DATA = 4


_DATA = re.compile(
    rb"(?:^|/)(?:vendor|third_party|node_modules|fixtures|testdata|__snapshots__)/"
    rb"|\.(?:json|jsonl|ndjson|geojson|csv|tsv|xml|svg|po|pot|snap|lock|ipynb)$",
    re.IGNORECASE,
)
_TEST = re.compile(
    rb"(?:^|/)(?:tests?|__tests__|specs?)/|(?:^|/)(?:test_[^/]*|conftest)\.py$"
    rb"|(?:[._-](?:test|tests|spec)|[^/](?:Test|Tests|Spec))\.[a-z]+$"
)
_GUIDE = re.compile(
    rb"(?:^|/)(?:readme|contributing|changelog|architecture)[^/]*$|\.(?:md|mdx|rst|adoc|org)$", re.IGNORECASE
)


def rank_of(path: bytes) -> Rank:
    """Return the rank of a file by its path alone."""
    if _DATA.search(path):
        return Rank.DATA
    if _TEST.search(path):
        return Rank.TEST
    return Rank.GUIDE if _GUIDE.search(path) else Rank.CODE
