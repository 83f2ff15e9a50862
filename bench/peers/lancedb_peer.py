"""LanceDB: IVF-PQ rescored with the vectors, and its own full-text index; hybrid by its own fusion of ranks."""

from typing import Any

import lancedb
import pyarrow as pa
from lancedb.rerankers import RRFReranker
from protocol import TOP, Floats, Peer, main


class Lance(Peer):
    name = "lancedb"
    settings = [
        {"nprobes": 20},
        {"nprobes": 20, "refine": 10},
        {"nprobes": 50, "refine": 10},
        {"nprobes": 100, "refine": 10},
        {"nprobes": 200, "refine": 20},
        {"nprobes": 400, "refine": 50},
        {"flat": True},
    ]
    hybrid_how = "its own RRF"

    def build(self) -> None:
        database = lancedb.connect(str(self.folder))
        dimensions = self.corpus.vectors.shape[1]
        fields = [("row", pa.int64()), ("text", pa.string()), ("project", pa.string())]
        schema = pa.schema([*fields, ("vector", pa.list_(pa.float32(), dimensions))])

        def batches() -> Any:
            for first, chunks, vectors in self.corpus.batches(10_000):
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array(range(first, first + len(chunks)), pa.int64()),
                        pa.array([chunk["text"] for chunk in chunks]),
                        pa.array([chunk["project"] for chunk in chunks]),
                        pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), dimensions),
                    ],
                    schema=schema,
                )

        table = database.create_table("chunks", batches(), schema=schema)
        table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_PQ")
        table.create_fts_index("text", use_tantivy=False, with_position=False)
        table.create_scalar_index("project", index_type="BITMAP")
        table.optimize()

    def open(self) -> None:
        self._table = lancedb.connect(str(self.folder)).open_table("chunks")
        self._reranker = RRFReranker()

    def set(self, setting: dict[str, int]) -> None:
        self._setting = setting

    def dense(self, vector: Floats, project: str | None) -> list[int]:
        return self._rows(self._table.search(vector, query_type="vector").distance_type("cosine"), project)

    def hybrid(self, text: str, vector: Floats, project: str | None) -> list[int]:
        asked = self._table.search(query_type="hybrid").vector(vector).text(text).distance_type("cosine")
        return self._rows(asked.rerank(self._reranker), project)

    def _rows(self, asked: Any, project: str | None) -> list[int]:
        if "flat" in self._setting:
            asked = asked.bypass_vector_index()
        else:
            asked = asked.nprobes(self._setting["nprobes"])
            if "refine" in self._setting:
                asked = asked.refine_factor(self._setting["refine"])
        if project is not None:
            asked = asked.where(f"project = '{project}'", prefilter=True)
        found = asked.select(["row", "text"]).limit(TOP).to_arrow()
        return [int(row) for row in found["row"].to_pylist()]


if __name__ == "__main__":
    main(Lance)
