"""Words as they lie in a part: postings in blocks of rows, each block sorted by term and row.

A term is the first 64 bits of the BLAKE2b of its UTF-8 form. Within a block a row takes 16 bits and a frequency 8: the
words of a chunk take about three bytes for each distinct term.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 16
"""Rows in a block."""
MAX_FREQUENCY = 255
"""A term that occurs more often in a row counts as this often; BM25 saturates long before."""


@lru_cache(maxsize=1 << 17)
def term_hash(term: str) -> int:
    """Return the number that stands for a term."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Block:
    """Postings of `terms[i]` are `rows` and `counts` from `starts[i]` to `starts[i + 1]`; rows count from `first`."""

    first: int
    terms: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    rows: NDArray[np.uint16]
    counts: NDArray[np.uint8]

    def find(self, terms: NDArray[np.uint64]) -> list[slice | None]:
        """Return where the postings of each term lie, None for one that does not occur."""
        places = np.searchsorted(self.terms, terms)
        found: list[slice | None] = []
        for place, term in zip(places.tolist(), terms.tolist(), strict=True):
            if place < len(self.terms) and int(self.terms[place]) == term:
                found.append(slice(int(self.starts[place]), int(self.starts[place + 1])))
            else:
                found.append(None)
        return found


def blocks_of(documents: Sequence[Iterable[str]]) -> tuple[list[Block], NDArray[np.int32]]:
    """Return the blocks of rows that are given as their terms, and how many terms each row has."""
    blocks, lengths = [], np.zeros(len(documents), np.int32)
    for first in range(0, len(documents), BLOCK):
        numbers: dict[str, int] = {}
        terms: list[int] = []
        rows: list[int] = []
        for row, document in enumerate(documents[first : first + BLOCK]):
            before = len(terms)
            terms += [numbers.setdefault(term, len(numbers)) for term in document]
            lengths[first + row] = len(terms) - before
            rows += [row] * (len(terms) - before)
        hashes = np.array([term_hash(term) for term in numbers], np.uint64)
        pairs = np.array(terms, np.int64) << 16 | np.array(rows, np.int64)
        pairs, counts = np.unique(pairs, return_counts=True)
        blocks.append(block_of(first, hashes[pairs >> 16], (pairs & 0xFFFF).astype(np.uint16), counts))
    return blocks, lengths


def block_of(first: int, terms: NDArray[np.uint64], rows: NDArray[np.uint16], counts: NDArray[np.integer]) -> Block:
    """Return the block of postings that come in any order, each pair of term and row once."""
    # One stable sort by term is enough where the rows of a term come in order already, which callers cannot promise.
    order = np.lexsort((rows, terms))
    terms, rows = terms[order], rows[order]
    few: NDArray[np.uint8] = np.minimum(counts[order], MAX_FREQUENCY).astype(np.uint8)
    if not len(terms):
        return Block(first, terms, np.zeros(1, np.uint32), rows, few)
    changes = np.flatnonzero(terms[1:] != terms[:-1]) + 1
    starts = np.concatenate([[0], changes, [len(terms)]]).astype(np.uint32)
    return Block(first, terms[starts[:-1]], starts, rows, few)
