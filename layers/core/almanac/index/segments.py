"""What one batch adds to an index, before it is written as a part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from almanac.events import Origin
from almanac.index.sources import SourceInfo, SourceRef

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ModelMismatch(Exception):
    """Vectors of another embedding model were about to enter an index."""


class Model(BaseModel):
    """The embedding model that made the vectors. `fingerprint` tells apart what shares a name and a dimension count."""

    model_config = ConfigDict(frozen=True)

    name: str
    fingerprint: str
    dimensions: int


class Row(NamedTuple):
    """A chunk: `source` is its source's place in the segment, `ordinal` its place in the source.

    Lines count from 1, both ends included; both are 0 where lines mean nothing. `context` names what encloses the chunk
    (headings, classes, functions), outermost first.
    """

    source: int
    ordinal: int
    start_line: int
    end_line: int
    text: str
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """What one batch adds to an index: sources, their rows in order, one vector for each row, and tombstones.

    `vectors` is int8, [rows, dimensions]; None when nothing is embedded yet. A source without rows replaces its earlier
    versions with nothing. `tombstones` are sources that a repository no longer has: they still answer for the past.
    `erased` are sources that somebody deleted: nothing of them is ever shown again.
    """

    model: Model
    sources: Sequence[SourceInfo]
    rows: Sequence[Row]
    vectors: "NDArray[np.int8] | None"
    tombstones: Sequence[SourceRef] = ()
    origin: Origin | None = None
    erased: Sequence[SourceRef] = ()


def searchable_text(info: SourceInfo, row: Row) -> str:
    """Return what is searched by words for a chunk: its text, under its source's title and path and its context."""
    path = "" if info.path is None or info.path in info.title else info.path
    return "\n".join([info.title, path, *row.context, row.text])
