"""usearch: a graph of int8 vectors alone. No texts, no words, no filters."""

import numpy as np
from numpy.typing import NDArray
from protocol import TOP, Floats, Peer, main
from usearch.index import Index


class Usearch(Peer):
    name = "usearch int8 (vectors only)"
    settings = [64, 128, 256, 512, 1024]
    filters = False

    def build(self) -> None:
        index = self._index()
        for first, _, vectors in self.corpus.batches(10_000):
            index.add(np.arange(first, first + len(vectors)), _codes(vectors), threads=1)
        index.save(str(self.folder / "index"))

    def open(self) -> None:
        self._opened = self._index()
        self._opened.load(str(self.folder / "index"))

    def set(self, setting: int) -> None:
        self._opened.expansion_search = setting

    def dense(self, vector: Floats, project: str | None) -> list[int]:  # noqa: ARG002
        return [int(row) for row in self._opened.search(_codes(vector), TOP, threads=1).keys]

    def _index(self) -> Index:
        return Index(ndim=self.corpus.vectors.shape[1], metric="cos", dtype="i8")


def _codes(vectors: Floats) -> NDArray[np.int8]:
    """Use the whole range of eight bits, as Almanac does: usearch's own conversion wastes most of it."""
    stretched = 127 * vectors / np.abs(vectors).max(axis=-1, keepdims=True)
    return np.rint(stretched).astype(np.int8)


if __name__ == "__main__":
    main(Usearch)
