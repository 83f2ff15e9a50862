"""What every peer of the search benchmark does: `python <peer>.py CORPUS ROWS FOLDER` prints its figures as JSON.

It runs in the peers' own environment and knows nothing of Almanac: texts, vectors and questions come as files. A built
index stays in FOLDER with the time that it took; the next run measures queries on it again.
"""

import json
import os
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TOP = 10
ENOUGH = 0.99
_WARM = 10
_ENOUGH_ANSWERS = 50
_PATIENCE_SECONDS = 120


class Corpus:
    """The files that bench/search_corpus.py and bench/search_vectors.py wrote."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.rows = rows
        self.vectors: Floats = np.load(folder / "vectors.npy", mmap_mode="r")[:rows]
        self.question_vectors: Floats = np.load(folder / "questions.npy")
        self.questions: list[str] = [q["text"] for q in json.loads((folder / "questions.json").read_text())]
        self.truth: NDArray[np.int64] = np.load(folder / f"truth-{rows}.npy")[:, :TOP]

    def batches(self, size: int) -> Iterator[tuple[int, list[dict[str, Any]], Floats]]:
        """Yield (first row, chunks, vectors) of consecutive rows."""
        with (self.folder / "texts.jsonl").open(encoding="utf-8") as lines:
            for first in range(0, self.rows, size):
                chunks = [json.loads(line) for line in islice(lines, min(size, self.rows - first))]
                yield first, chunks, np.asarray(self.vectors[first : first + size])


class Peer(ABC):
    """One product. Answers are row numbers, the best first; every answer must have read the rows' texts as well."""

    name: str
    settings: Sequence[Any]
    """What trades speed for recall, from the default on; the first that reaches `ENOUGH` is measured again."""
    filters = True
    hybrid_how: str | None = None

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self.corpus = corpus
        self.folder = folder

    @abstractmethod
    def build(self) -> None:
        """Make the index in the folder."""

    @abstractmethod
    def open(self) -> None:
        """Open the index that lies in the folder."""

    @abstractmethod
    def set(self, setting: Any) -> None:
        """Take on a setting for the next queries."""

    @abstractmethod
    def dense(self, vector: Floats, project: str | None) -> list[int]: ...

    def hybrid(self, text: str, vector: Floats, project: str | None) -> list[int]:
        raise NotImplementedError

    def resident(self) -> int:
        """Return the bytes of memory of everything that serves queries."""
        return psutil.Process().memory_info().rss

    def close(self) -> None:  # noqa: B027 - most have nothing to stop
        """Stop what was started."""


def main(peer: Callable[[Corpus, Path], Peer]) -> None:
    corpus, folder = Corpus(Path(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3])
    subject = peer(corpus, folder)
    stamp = folder / "built.json"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        began = time.perf_counter()
        subject.build()
        stamp.write_text(json.dumps({"seconds": time.perf_counter() - began}))
        subject.close()
        # A process that has built holds memory that one that only answers does not.
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
    before = psutil.Process().memory_info().rss
    subject.open()
    answer = {
        "name": subject.name,
        "rows": corpus.rows,
        "build_seconds": json.loads(stamp.read_text())["seconds"],
        "disk_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "hybrid_how": subject.hybrid_how,
        **_measure(subject),
    }
    answer["resident_bytes"] = subject.resident() - before
    subject.close()
    print(json.dumps(answer))


def _measure(peer: Peer) -> dict[str, Any]:
    corpus = peer.corpus
    tried: list[dict[str, Any]] = []
    found: list[list[int]] = []
    for setting in peer.settings:
        peer.set(setting)
        timed = _timed(lambda n: peer.dense(corpus.question_vectors[n], None), len(corpus.questions))
        found = timed.pop("answers")
        tried.append({"setting": str(setting), "recall": _recall(found, corpus.truth), **timed})
        if tried[-1]["recall"] >= ENOUGH:
            break
    answer: dict[str, Any] = {"dense": tried, "answers": found}
    if not peer.filters:
        return answer
    filtered = _timed(lambda n: peer.dense(corpus.question_vectors[n], f"prj{n % 100}"), len(corpus.questions))
    answer["dense_filtered"] = {"full": _full(filtered.pop("answers")), **filtered}
    if peer.hybrid_how is not None:
        questions = corpus.questions
        both = _timed(lambda n: peer.hybrid(questions[n], corpus.question_vectors[n], None), len(questions))
        answer["answers"] = both.pop("answers")
        answer["hybrid"] = both
        few = _timed(lambda n: peer.hybrid(questions[n], corpus.question_vectors[n], f"prj{n % 100}"), len(questions))
        answer["hybrid_filtered"] = {"full": _full(few.pop("answers")), **few}
    return answer


def _timed(ask: Callable[[int], list[int]], count: int) -> dict[str, Any]:
    """Ask all questions in turn, or as many as patience allows for."""
    answers, taken, started = [], [], time.perf_counter()
    for number in [*range(_WARM), *range(count)]:
        began = time.perf_counter()
        answers.append(ask(number))
        taken.append((time.perf_counter() - began) * 1000)
        if time.perf_counter() - started > _PATIENCE_SECONDS and len(taken) >= _WARM + _ENOUGH_ANSWERS:
            break
    ordered = sorted(taken[_WARM:])
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)], "answers": answers[_WARM:]}


def _recall(found: Sequence[Sequence[int]], truth: NDArray[np.int64]) -> float:
    pairs = list(zip(found, truth.tolist(), strict=False))
    return sum(len(set(mine) & set(theirs)) / TOP for mine, theirs in pairs) / len(pairs)


def _full(found: Sequence[Sequence[int]]) -> float:
    """Return the share of answers that fill the page."""
    return sum(len(set(rows)) == TOP for rows in found) / len(found)


def fused(words: Sequence[int], near: Sequence[int]) -> list[int]:
    """Fuse two orders by reciprocal ranks, as the peers' own documents do."""
    scores: dict[int, float] = {}
    for order in (words, near):
        for rank, row in enumerate(order):
            scores[row] = scores.get(row, 0) + 1 / (60 + rank)
    return sorted(scores, key=lambda row: (-scores[row], row))[:TOP]
