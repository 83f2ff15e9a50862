"""The road from a text to its code, beside a bare onnxruntime loop over the same chunks; and the steps before it."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING, Any

from almanac.embeddings.cache import EmbeddingService
from almanac.embeddings.local import FOLDER, MAX_TOKENS, LocalEmbedder
from almanac.text.chunking import chunk, embedding_text
from almanac.text.tokenize import analyze, terms
from bench.report import Report, median, progress

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

ROOT = Path(__file__).parents[1]
MODEL_DIR = ROOT / ".local" / "model"
FILES = ("argparse", "typing", "ast", "asyncio/tasks", "json/decoder", "http/client", "pathlib", "zipfile")
ROUNDS = 6
CHUNKS_PER_ROUND = 24
TARGET = 0.95
TARGET_TWO_CORES = 1.8


class NoCache:
    """A store that knows nothing, so that every text goes through the model."""

    async def get_many(self, hashes: Sequence[str]) -> "dict[str, Codes]":  # noqa: ARG002
        return {}

    async def put_many(self, codes: "Mapping[str, Codes]") -> None:
        pass


def corpus() -> str:
    """Return about half a megabyte of the standard library, the same for everyone with this Python."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = [library / f"{name}.py" for name in FILES]
    return "\n".join(file.read_text() for file in files if file.exists())


def bare_loop() -> Callable[[Sequence[str]], None]:
    """Return what the model's own card would have one write: tokenize, run, take the first state, normalise."""
    import numpy as np
    from onnxruntime import InferenceSession, SessionOptions
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL_DIR / FOLDER / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    options = SessionOptions()
    options.intra_op_num_threads = 1
    session = InferenceSession(str(MODEL_DIR / FOLDER / "model_quantized.onnx"), options)

    def embed(texts: Sequence[str]) -> None:
        for text in texts:
            ids = np.array([tokenizer.encode(text).ids])
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            state = session.run(None, inputs)[0][0, 0]
            state / np.linalg.norm(state)

    return embed


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@contextmanager
def cores(count: int) -> Iterator[None]:
    """Let this thread, and those that it starts, use so many processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[-count:]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def service_on(count: int) -> EmbeddingService:
    """Return a loaded model with the threads that it has on so many processors."""
    with cores(count):
        service = EmbeddingService(LocalEmbedder(MODEL_DIR), NoCache())
        asyncio.run(service.embed(["a text", "another"] * count))
    return service


def compare(texts: Sequence[str]) -> tuple[list[float], list[float], list[float]]:
    """Return seconds per round of the bare loop, of ours on one core and on two, in turn on the same texts."""
    bare, alone, both = bare_loop(), service_on(1), service_on(2)
    bare(texts[:3])
    theirs, ours, two = [], [], []
    for start in range(0, ROUNDS * CHUNKS_PER_ROUND, CHUNKS_PER_ROUND):
        part = texts[start : start + CHUNKS_PER_ROUND]
        with cores(1):
            theirs.append(seconds(lambda part=part: bare(part)))  # type: ignore[misc]
            ours.append(seconds(lambda part=part: asyncio.run(alone.embed(part))))  # type: ignore[misc]
        with cores(2):
            two.append(seconds(lambda part=part: asyncio.run(both.embed(part))))  # type: ignore[misc]
    return theirs, ours, two


def in_processes(texts: Sequence[str], count: int) -> float:
    """Return the seconds that processes take which embed a share each, at the same time, on two cores."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(count + 1)
    workers = [context.Process(target=_share, args=(texts[place::count], ready)) for place in range(count)]
    for worker in workers:
        worker.start()
    ready.wait()

    def end() -> None:
        for worker in workers:
            worker.join()

    return seconds(end)


def _share(texts: Sequence[str], ready: Barrier) -> None:
    service = service_on(2)
    ready.wait()
    with cores(2):
        asyncio.run(service.embed(texts))


def main() -> None:
    subprocess.run([sys.executable, ROOT / "layers" / "model" / "fetch_model.py", MODEL_DIR], check=True, stdout=2)
    text = corpus()
    megabytes = len(text.encode()) / 1e6
    model = LocalEmbedder(MODEL_DIR)
    load = seconds(model.load)
    chunks = chunk(text[:200_000], language="python")
    texts = list(dict.fromkeys(embedding_text(part) for part in chunks))[: ROUNDS * CHUNKS_PER_ROUND]
    progress(f"embedding: {len(texts)} chunks, twice")
    theirs, ours, two = compare(texts)
    processes = [in_processes(texts, count) for count in (1, 2)]
    ratio = sum(theirs) / sum(ours)
    query = [seconds(lambda: asyncio.run(model.embed_query("where is the header parsed"))) for _ in range(30)]
    report = Report(
        "Embedding",
        f"{len(texts)} chunks of the Python standard library (mean {sum(map(len, texts)) // len(texts)} characters), "
        f"{ROUNDS} rounds in turn: a bare onnxruntime loop with one thread on one core, and ours with hashing, cache "
        "calls and quantising on one core and on two. Then one process and two at once (half of the chunks each) "
        "on the same two cores, as the functions of the local stack are. "
        f"Chunking and words: {megabytes:.1f} MB of the same library.",
        ["step", "figure"],
    )
    report.row("bare onnxruntime loop, one core", f"{len(texts) / sum(theirs):.1f} chunks/s")
    report.row("Almanac, from text to int8 code, one core", f"{len(texts) / sum(ours):.1f} chunks/s")
    report.row("the same on two cores", f"{len(texts) / sum(two):.1f} chunks/s")
    report.row("one process, two cores", f"{len(texts) / processes[0]:.1f} chunks/s")
    report.row("two processes at once, the same cores", f"{len(texts) / processes[1]:.1f} chunks/s")
    report.row("a query's vector", f"{median(query) * 1000:.1f} ms p50")
    report.row("loading the model, SHA-256 verified, imports included", f"{load * 1000:.0f} ms")
    for name, work in (
        ("chunking by syntax", _chunk_files),
        ("words, terms only", terms),
        ("words with places", analyze),
    ):
        report.row(name, f"{megabytes / min(seconds(lambda work=work: work(text)) for _ in range(3)):.1f} MB/s")  # type: ignore[misc]
    report.target(f"at least {TARGET}x of the bare loop, one core", f"{ratio:.2f}x", ratio >= TARGET)
    gain = sum(ours) / sum(two)
    report.target(f"at least {TARGET_TWO_CORES}x of one core on two", f"{gain:.2f}x", gain >= TARGET_TWO_CORES)
    report.finish()


def _chunk_files(text: str) -> None:
    for start in range(0, len(text), 100_000):
        chunk(text[start : start + 100_000], language="python")


if __name__ == "__main__":
    main()
