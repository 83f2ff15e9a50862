"""hnswlib: a graph of vectors alone, float32. No texts, no words: the bare library that other products build on."""

import hnswlib
import numpy as np
from protocol import TOP, Floats, Peer, main


class Hnswlib(Peer):
    name = "hnswlib (vectors only)"
    settings = [10, 50, 100, 200, 400, 800]

    def build(self) -> None:
        index = self._index()
        index.init_index(max_elements=self.corpus.rows, ef_construction=200, M=16)
        index.set_num_threads(1)
        for first, _, vectors in self.corpus.batches(10_000):
            index.add_items(vectors, np.arange(first, first + len(vectors)))
        index.save_index(str(self.folder / "index"))

    def open(self) -> None:
        self._opened = self._index()
        self._opened.load_index(str(self.folder / "index"))
        self._opened.set_num_threads(1)
        self._rows_of = {f"prj{number}": set[int]() for number in range(100)}
        for first, chunks, _ in self.corpus.batches(10_000):
            for row, chunk in enumerate(chunks, first):
                self._rows_of[chunk["project"]].add(row)

    def set(self, setting: int) -> None:
        self._opened.set_ef(setting)

    def dense(self, vector: Floats, project: str | None) -> list[int]:
        passes = None if project is None else self._rows_of[project].__contains__
        try:
            rows, _ = self._opened.knn_query(vector, k=TOP, filter=passes, num_threads=1)
        except RuntimeError:
            # It raises when the search ended before it had met as many rows that pass.
            return []
        return [int(row) for row in rows[0]]

    def _index(self) -> hnswlib.Index:
        return hnswlib.Index(space="cosine", dim=self.corpus.vectors.shape[1])


if __name__ == "__main__":
    main(Hnswlib)
