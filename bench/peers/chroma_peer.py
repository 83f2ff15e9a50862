"""Chroma, embedded in the process: vectors with documents and metadata. It has no ranking by words here."""

from typing import Any

import chromadb
from chromadb.api.shared_system_client import SharedSystemClient
from protocol import TOP, Floats, Peer, main


class Chroma(Peer):
    name = "chromadb"
    settings = [100, 200, 400, 800, 1600]

    def build(self) -> None:
        client = chromadb.PersistentClient(str(self.folder))
        settings = {"hnsw": {"space": "cosine", "ef_search": 100, "num_threads": 1}}
        made = client.create_collection("chunks", configuration=settings, embedding_function=None)
        for first, chunks, vectors in self.corpus.batches(2_000):
            made.add(
                ids=[str(row) for row in range(first, first + len(chunks))],
                embeddings=vectors,
                documents=[chunk["text"] for chunk in chunks],
                metadatas=[{"project": chunk["project"], "path": chunk["path"]} for chunk in chunks],
            )

    def open(self) -> None:
        self._client = chromadb.PersistentClient(str(self.folder))
        self._opened: Any = self._client.get_collection("chunks", embedding_function=None)

    def set(self, setting: int) -> None:
        self._opened.modify(configuration={"hnsw": {"ef_search": setting}})
        # An index that is open keeps the setting that it was opened with.
        SharedSystemClient.clear_system_cache()
        self.open()

    def dense(self, vector: Floats, project: str | None) -> list[int]:
        found = self._opened.query(
            query_embeddings=[vector],
            n_results=TOP,
            where=None if project is None else {"project": project},
            include=["documents", "metadatas", "distances"],
        )
        return [int(name) for name in found["ids"][0]]


if __name__ == "__main__":
    main(Chroma)
