"""What both halves say of every query of a set, as the engine would hand it to fusion, and how good an order is."""

import asyncio
import hashlib
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from almanac.embeddings.local import LocalEmbedder
from almanac.text.tokenize import terms
from bench.quality_sets import QuerySet
from bench.report import progress

Floats = NDArray[np.float64]

POOL = 1000
PLACES = 10
K1, B = 1.2, 0.75
_DISCOUNTS = 1 / np.log2(np.arange(2, PLACES + 2))


@dataclass(frozen=True)
class Scored:
    """The best rows of either half for a query: their BM25, cosine and grade; `grades` are all that there are."""

    text: str
    words: Floats
    similarity: Floats
    grade: Floats
    ideal: float
    grades: tuple[int, ...]


class Vectors:
    """Unit vectors of texts by the embedded model, kept in a file from run to run."""

    def __init__(self, model: LocalEmbedder, cache: Path) -> None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        self._model, self._kept = model, sqlite3.connect(cache)
        self._kept.execute("CREATE TABLE IF NOT EXISTS v(k BLOB PRIMARY KEY, c BLOB)")

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if self._get(key) is None}
        for key, text in missing.items():
            code = asyncio.run(self._model.embed_query(text))
            self._kept.execute("INSERT OR IGNORE INTO v VALUES (?, ?)", (key, code.tobytes()))
        self._kept.commit()
        codes = np.stack([np.frombuffer(self._get(key) or b"", np.int8) for key in keys]).astype(np.float32)
        unit: NDArray[np.float32] = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1)
        return unit

    def _get(self, key: bytes) -> bytes | None:
        found = self._kept.execute("SELECT c FROM v WHERE k = ?", (key,)).fetchone()
        return None if found is None else found[0]


class Words:
    """BM25 as the engine computes it, over the texts of a set."""

    def __init__(self, texts: Sequence[str]) -> None:
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = np.zeros(len(texts))
        for row, text in enumerate(texts):
            counts = Counter(terms(text))
            lengths[row] = counts.total()
            for term, count in counts.items():
                postings[term].append((row, count))
        self._damping = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        self._postings = {term: np.array(found) for term, found in postings.items()}

    def score(self, text: str) -> tuple[Floats, float]:
        """Return every row's BM25, and what no row can exceed."""
        scores, ideal, rows = np.zeros(len(self._damping)), 0.0, len(self._damping)
        for term in dict.fromkeys(terms(text)):
            found = self._postings.get(term)
            count = 0 if found is None else len(found)
            idf = math.log(1 + (rows - count + 0.5) / (count + 0.5))
            ideal += idf * (K1 + 1)
            if found is not None:
                holders, frequency = found[:, 0], found[:, 1]
                scores[holders] += idf * (K1 + 1) * frequency / (frequency + self._damping[holders])
        return scores, ideal


def scored(one: QuerySet, vectors: Vectors) -> Iterator[Scored]:
    """Yield what both halves say of each query."""
    progress(f"quality: {one.name}, {len(one.corpus)} texts, {len(one.queries)} queries")
    ids, texts = list(one.corpus), list(one.corpus.values())
    words, matrix = Words(texts), vectors.of(texts)
    asked = [key for key in one.queries if one.answers.get(key)]
    similarities = vectors.of([one.queries[key] for key in asked]) @ matrix.T
    for key, row in zip(asked, similarities.astype(np.float64), strict=True):
        by_words, ideal = words.score(one.queries[key])
        best = np.union1d(_largest(by_words), _largest(row))
        grade = np.array([one.answers[key].get(ids[place], 0) for place in best], np.float64)
        grades = tuple(sorted((grade for grade in one.answers[key].values() if grade > 0), reverse=True))
        yield Scored(one.queries[key], by_words[best], row[best], grade, ideal, grades)


def ndcg(query: Scored, score: Floats) -> float:
    """Return nDCG@10 of the order by score; equals come by similarity, as in the engine. Rows of -1 are left out."""
    found = _grades(query, score)
    best = np.array(query.grades[:PLACES], np.float64)
    return float((found * _DISCOUNTS[: len(found)]).sum() / (best * _DISCOUNTS[: len(best)]).sum())


def recall(query: Scored, score: Floats) -> float:
    return float((_grades(query, score) > 0).sum() / len(query.grades))


def by_words(query: Scored) -> Floats:
    return np.where(query.words > 0, query.words, -1)


def by_ranks(query: Scored) -> Floats:
    """Return reciprocal-rank fusion; a row without a query word has no rank by words."""
    score = np.zeros(len(query.words))
    order = np.argsort(-query.words, kind="stable")
    order = order[query.words[order] > 0]
    score[order] += 1 / (61 + np.arange(len(order)))
    score[np.argsort(-query.similarity, kind="stable")] += 1 / (61 + np.arange(len(score)))
    return score


def _grades(query: Scored, score: Floats) -> Floats:
    order = np.lexsort((-query.similarity, -score))[:PLACES]
    found: Floats = query.grade[order[score[order] != -1]]
    return found


def _largest(values: Floats) -> NDArray[np.int64]:
    return np.argsort(-values, kind="stable")[:POOL]
