"""SQLite with sqlite-vec (exact, float32) and FTS5 (BM25); fused by reciprocal ranks, as its documents show.

SQLite comes from a package: an interpreter's own often cannot load extensions.
"""

import re

import sqlite_vec
from protocol import TOP, Floats, Peer, fused, main
from pysqlite3 import dbapi2 as sqlite3

DEPTH = 50


class Sqlite(Peer):
    name = "sqlite-vec + FTS5"
    settings = ["exact"]
    hybrid_how = "RRF over both"

    def build(self) -> None:
        self.open()
        width = self.corpus.vectors.shape[1]
        self._db.executescript(
            f"create virtual table near using vec0(row integer primary key, project text,"
            f" vector float[{width}] distance_metric=cosine);"
            "create table chunks(row integer primary key, project text, text text);"
            "create index by_project on chunks(project);"
            "create virtual table words using"
            " fts5(text, project, content='chunks', content_rowid='row', tokenize='porter');"
        )
        for first, chunks, vectors in self.corpus.batches(10_000):
            rows = range(first, first + len(chunks))
            projects, texts = [c["project"] for c in chunks], [c["text"] for c in chunks]
            self._db.executemany(
                "insert into near values (?, ?, ?)", zip(rows, projects, (v.tobytes() for v in vectors), strict=True)
            )
            self._db.executemany("insert into chunks values (?, ?, ?)", zip(rows, projects, texts, strict=True))
            self._db.commit()
        self._db.execute("insert into words(words) values ('rebuild')")
        self._db.execute("insert into words(words) values ('optimize')")
        self._db.commit()

    def open(self) -> None:
        self._db = sqlite3.connect(self.folder / "chunks.db")
        self._db.enable_load_extension(True)
        sqlite_vec.load(self._db)
        self._db.execute("pragma mmap_size = 8000000000")

    def set(self, setting: str) -> None:
        pass

    def dense(self, vector: Floats, project: str | None) -> list[int]:
        return self._read(self._near(vector, project, TOP))

    def hybrid(self, text: str, vector: Floats, project: str | None) -> list[int]:
        words = "text : (" + " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text)) + ")"
        if project is not None:
            words = f"({words}) AND project : {project}"
        by_words = self._db.execute("select rowid from words where words match ? order by rank limit ?", (words, DEPTH))
        return self._read(fused([row for (row,) in by_words], self._near(vector, project, DEPTH)))

    def _near(self, vector: Floats, project: str | None, count: int) -> list[int]:
        condition = "" if project is None else " and project = ?"
        found = self._db.execute(
            f"select row from near where vector match ? and k = ?{condition} order by distance",
            (vector.tobytes(), count, *([] if project is None else [project])),
        )
        return [row for (row,) in found]

    def _read(self, rows: list[int]) -> list[int]:
        marks = ",".join("?" * len(rows))
        self._db.execute(f"select text from chunks where row in ({marks})", rows).fetchall()
        return rows


if __name__ == "__main__":
    main(Sqlite)
