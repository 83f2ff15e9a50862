"""What one index has and another lacks, as segments for the other: pure, over opened parts.

A copy says what its original says: the same sources, the same chunks, nothing is chunked again. Only vectors differ
between models. What is known to be gone is copied first, so that nothing that arrives late comes back to life.
"""

import hashlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from almanac.index.encoding import EncodedPart, columns_of, lay_out
from almanac.index.parts import Part
from almanac.index.segments import Model, Row, Segment
from almanac.index.shards import shard_of
from almanac.index.sources import SourceInfo
from almanac.index.visibility import Facts, kept
from almanac.text.chunking import Chunk, embedding_text
from search.indexes.opening import Claim

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 512
SOURCES = 256

_COLUMNS = ("key_high", "key_low", "versions", "containers", "erased")

Grave = tuple[int, int, int, str | None, int]
"""A source that is gone: the halves of its key, as of which version, from which repository, whether it was erased."""


@dataclass
class Batch:
    """Sources that go into one segment, with their rows; `codes` are their vectors in the index they come from."""

    infos: list[SourceInfo] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    codes: "list[NDArray[np.int8]]" = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Return what is embedded for each row."""
        return [
            embedding_text(Chunk(row.ordinal, row.text, row.start_line, row.end_line, 0, 0, row.context))
            for row in self.rows
        ]

    def segment(self, model: Model, vectors: "NDArray[np.int8]") -> Segment:
        return Segment(model, self.infos, self.rows, vectors)

    def is_full(self) -> bool:
        return len(self.rows) >= ROWS or len(self.infos) >= SOURCES


def batches(parts: Sequence[Part], facts: Facts, held: Container[Claim], shards: int) -> Iterator[tuple[int, Batch]]:
    """Yield what is not `held` and not erased of some parts, in batches of one shard, each source once in a batch.

    The same parts and the same `held` give the same batches, so that what is done again makes the same segments.
    """
    filling: dict[int, Batch] = {}
    for part, mask in zip(parts, kept(parts, facts), strict=True):
        for document in np.flatnonzero(mask).tolist():
            claim = (int(part.key_high[document]), int(part.key_low[document]), int(part.versions[document]))
            if claim in held:
                continue
            info = part.info(document)
            shard = shard_of(info.source_id, shards)
            batch = filling.setdefault(shard, Batch())
            if batch.is_full() or any(other[:2] == claim[:2] for other in batch.claims):
                yield shard, batch
                batch = filling[shard] = Batch()
            _add(batch, part, document, info, claim)
    yield from filling.items()


def graves(parts: Sequence[Part]) -> set[Grave]:
    """Return the sources that parts know to be gone."""
    found: set[Grave] = set()
    for part in parts:
        columns = part.graves()
        owners = [*part.names("owners"), None]
        containers = [owners[place] for place in columns.containers.tolist()]
        highs, lows = columns.key_high.tolist(), columns.key_low.tolist()
        found |= set(zip(highs, lows, columns.versions.tolist(), containers, columns.erased.tolist(), strict=True))
    return found


def unknown(found: set[Grave], known: set[Grave]) -> set[Grave]:
    """Return what an index does not know of `found`. Of an erased source it need only know the newest version."""
    erased: dict[tuple[int, int], int] = {}
    for high, low, version, _, is_erased in known:
        if is_erased:
            erased[high, low] = max(version, erased.get((high, low), 0))
    return {grave for grave in found - known if not grave[4] or erased.get(grave[:2], 0) < grave[2]}


def part_of_graves(model: Model, found: set[Grave], shard: int = 0) -> EncodedPart:
    """Return a part that holds no source and knows which are gone. Those of two shards have two names."""
    columns = columns_of(Segment(model, [], [], np.empty((0, model.dimensions), np.int8)))
    owners = sorted({owner for *_, owner, _ in found if owner is not None})
    place = {owner: number for number, owner in enumerate(owners)}
    ordered = sorted((*key, -1 if owner is None else place[owner], erased) for *key, owner, erased in found)
    for number, name in enumerate(_COLUMNS):
        dtype = columns.arrays[f"grave_{name}"].dtype
        columns.arrays[f"grave_{name}"] = np.array([grave[number] for grave in ordered], dtype)
    # A log names its segments by their bytes alone: equal ones of two shards would be one, in the first of them.
    columns.names = {**columns.names, "owners": [*owners, f"shard {shard}"]}
    body = b"".join(lay_out(columns))
    return EncodedPart(hashlib.sha256(body).hexdigest(), body)


def _add(batch: Batch, part: Part, document: int, info: SourceInfo, claim: Claim) -> None:
    place = len(batch.infos)
    batch.infos.append(info)
    batch.claims.append(claim)
    for row in part.rows_of(document):
        batch.rows.append(part.row(row)._replace(source=place))
        batch.codes.append(part.vectors[row])
