"""Vectors for the search benchmark: the embedded model's own for some chunks, resampled from those for the others.

A chunk without a vector of its own gets that of the nearest chunk by path that has one, plus gaussian noise with the
covariance of the real vectors, normalised again. So a corpus of a million has the directions and clusters of real text.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from almanac.embeddings.base import quantize, quantize_finely, without_surrogates
from almanac.embeddings.local import FOLDER, MAX_TOKENS, rotated
from bench.report import progress
from bench.search_cache import cache
from bench.search_corpus import lines_of

ROOT = Path(__file__).parents[1]
DIMENSIONS = 384
SIGMA = 0.6
"""How many of the corpus's own standard deviations the noise has."""
TOP = 10
DEEP = 100
"""How many exact neighbours are kept: an answer shows each file once, so ten files may take more chunks."""
_BLOCK = 50_000

Floats = NDArray[np.float32]


def codes_of(vectors: Floats) -> NDArray[np.int8]:
    """Return the int8 codes that the embedder would have made of its vectors."""
    return quantize(rotated(vectors), DIMENSIONS)


def query_codes_of(vectors: Floats) -> NDArray[np.int16]:
    """Return the codes that the embedder would have made of questions' vectors."""
    return np.array([quantize_finely(vector, DIMENSIONS) for vector in rotated(vectors)])


class Truth(NamedTuple):
    """The exact nearest rows of every question, [questions, 100], and their cosines."""

    rows: NDArray[np.int64]
    cosines: Floats


def make(folder: Path, rows: int, embed: int) -> int:
    """Write vectors.npy for the corpus's first `rows` chunks and questions.npy; returns how many are the model's own.

    The first `embed` chunks are embedded, or more when that was done before: files lie in the order of their paths'
    hashes, so the first chunks are a fair sample of all.
    """
    embedder = _Embedder()
    if not (folder / "questions.npy").exists():
        questions = json.loads((folder / "questions.json").read_text())
        np.save(folder / "questions.npy", np.stack([embedder.embed(question["text"]) for question in questions]))
    _embed(folder, min(embed, rows), embedder)
    stamp = folder / "vectors.json"
    real = np.fromfile(folder / "real.f32", np.float32).reshape(-1, DIMENSIONS)[:rows]
    made = json.loads(stamp.read_text()) if stamp.exists() else {"rows": 0}
    if made["rows"] < rows or made["real"] < min(embed, rows):
        progress(f"vectors: {len(real):,} of the model, {rows - len(real):,} resampled")
        _resample(folder, rows, real)
        made = {"rows": rows, "real": len(real), "sigma": SIGMA}
        stamp.write_text(json.dumps(made))
    return int(made["real"])


def exact(folder: Path, rows: int) -> Truth:
    """Return what an exact search over the float vectors of the first `rows` chunks answers."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")[:rows]
    questions = np.load(folder / "questions.npy")
    best_rows = np.empty((len(questions), 0), np.int64)
    best = np.empty((len(questions), 0), np.float32)
    for start in range(0, rows, _BLOCK):
        scores = questions @ np.asarray(vectors[start : start + _BLOCK]).T
        top = np.argpartition(-scores, DEEP, axis=1)[:, :DEEP]
        best = np.concatenate([best, np.take_along_axis(scores, top, 1)], axis=1)
        best_rows = np.concatenate([best_rows, top + start], axis=1)
    order = np.argsort(-best, axis=1)[:, :DEEP]
    return Truth(np.take_along_axis(best_rows, order, 1), np.take_along_axis(best, order, 1))


def truth_of(folder: Path, rows: int) -> Truth:
    """Return the exact answers over the first `rows` chunks, kept for as long as the vectors stay."""
    stamp = (folder / "vectors.json").read_text()
    files = [folder / f"{name}-{rows}.npy" for name in ("truth", "cosines")]
    note = folder / f"truth-{rows}.json"
    if not note.exists() or note.read_text() != stamp:
        progress(f"vectors: exact neighbours among {rows:,}")
        found = exact(folder, rows)
        np.save(files[0], found.rows)
        np.save(files[1], found.cosines)
        note.write_text(stamp)
    return Truth(*(np.load(file) for file in files))


def neighbours(folder: Path, rows: Sequence[int]) -> tuple[float, float]:
    """Return the mean cosine of chunks to the nearest and the tenth nearest other among them."""
    vectors = np.asarray(np.load(folder / "vectors.npy", mmap_mode="r")[np.asarray(rows)])
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    top = -np.partition(-scores, TOP, axis=1)[:, :TOP]
    return float(top.max(axis=1).mean()), float(top.min(axis=1).mean())


class _Embedder:
    """A bare session: the model's own recipe, without quantising."""

    def __init__(self) -> None:
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        directory = cache("model")
        fetch = ROOT / "layers" / "model" / "fetch_model.py"
        subprocess.run([sys.executable, fetch, directory], check=True, stdout=2)
        self._tokenizer = Tokenizer.from_file(str(directory / FOLDER / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        options = SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = InferenceSession(str(directory / FOLDER / "model_quantized.onnx"), options)

    def embed(self, text: str) -> Floats:
        ids = np.array([self._tokenizer.encode(text).ids])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        state: Floats = self._session.run(["last_hidden_state"], inputs)[0][0, 0]
        return state / np.linalg.norm(state)


def _embed(folder: Path, rows: int, embedder: _Embedder) -> None:
    """Append to real.f32 until it has the vectors of the first `rows` chunks; what an earlier run began goes on."""
    with (folder / "real.f32").open("ab") as out:
        out.truncate(out.tell() // (4 * DIMENSIONS) * (4 * DIMENSIONS))
        done = out.tell() // (4 * DIMENSIONS)
        began = time.monotonic()
        for row, line in enumerate(islice(lines_of(folder, rows), done, None), done):
            text = "\n".join([" > ".join(line["context"]), line["text"]]) if line["context"] else line["text"]
            out.write(embedder.embed(without_surrogates(text)).astype(np.float32).tobytes())
            if row % 1000 == 999:
                out.flush()
                progress(f"vectors: {row + 1:,} embedded, {(row + 1 - done) / (time.monotonic() - began):.1f} a second")


def _resample(folder: Path, rows: int, real: Floats) -> None:
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (rows, DIMENSIONS))
    vectors[: len(real)] = real
    # The corpus's own spread: what differs between real texts differs between a vector and its copies.
    spread = np.linalg.cholesky(np.cov(real.T) + 1e-9 * np.eye(DIMENSIONS)).astype(np.float32)
    bases = _nearest_by_path(folder, rows, len(real))
    chance = np.random.default_rng(5)
    for start in range(len(real), rows, _BLOCK):
        part = bases[start : start + _BLOCK]
        noise = chance.standard_normal((len(part), DIMENSIONS), np.float32) @ spread.T
        block = real[part] + SIGMA * noise
        vectors[start : start + len(part)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    vectors.flush()


def _nearest_by_path(folder: Path, rows: int, real: int) -> NDArray[np.int64]:
    """Return for every row the embedded row that is nearest when all are sorted by path and ordinal."""
    places = [(line["path"], line["ordinal"]) for line in lines_of(folder, rows)]
    order = np.array(sorted(range(rows), key=places.__getitem__), np.int64)
    embedded = np.flatnonzero(order < real)
    at = np.arange(rows)
    after = np.clip(np.searchsorted(embedded, at), 1, len(embedded) - 1)
    left, right = embedded[after - 1], embedded[after]
    nearest = np.empty(rows, np.int64)
    nearest[order] = order[np.where(at - left <= right - at, left, right)]
    return nearest
