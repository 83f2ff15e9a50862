"""Scanning for secrets: how fast, how often wrong, and how large a part of indexing. `python -m bench.scanning_bench`.

The code is that of the installed packages: nobody's secrets are expected in it, so what is found there is a mistake or
an example.
"""

import asyncio
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator
from random import Random

from almanac.text import secrets
from almanac.text.chunking import Chunk, chunk, embedding_text
from almanac.text.languages import language_of
from bench.report import Report, progress

_SUFFIXES = {".py", ".md", ".js", ".json", ".yaml", ".yml", ".txt", ".toml", ".c", ".h", ".ts", ".go", ".html"}
_MOST = 40_000_000
_EMBEDDED = 96
_MEGABYTE = 1_000_000
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_BEGINNINGS = (
    "sk-T3BlbkFJ eyJ ://a: aws_key AKIA xoxb-1- -----BEGIN_PRIVATE_KEY----- ghp_ alm_0a_ SG. //:_authToken= glagent- "
    "12345678: secret=' AC hvs. sk-ant-a-"
)
_WORST = 5.0


def main() -> None:
    report = Report(
        "Scanning for secrets",
        "The text files of the packages installed beside this checkout (code, manuals, data), one thread. The share of "
        "indexing is against cutting the same text into chunks and embedding these with the local model.",
        ["what", "measured"],
    )
    load = _seconds(secrets.load)
    texts = list(_texts())
    size = sum(len(text) for _, text in texts)
    began = time.perf_counter()
    found = [finding.kind for _, text in texts for finding in secrets.scan(text)]
    rate = size / (time.perf_counter() - began) / _MEGABYTE
    report.row("importing the detectors, once", f"{load * 1000:.0f} ms")
    report.row(f"{len(texts):,} files, {size / _MEGABYTE:.0f} MB", f"{rate:.1f} MB/s")
    report.row("taken for a secret in them", f"{len(found)} ({', '.join(sorted(set(found))) or 'none'})")
    share = _share(texts)
    report.row("share of scanning in scanning, chunking and embedding", f"{share:.2%}")
    full = "\n".join(f"token = ghp_{''.join(Random(n).choices(_LETTERS, k=36))}" for n in range(20_000))
    report.row("1 MB of nothing but secrets, masked", f"{_seconds(lambda: secrets.clean(full)):.2f} s")
    name, worst = max(_adversarial(), key=lambda each: each[1])
    report.row("the worst 1 MB of repeated beginnings", f"{worst:.2f} s ({name})")
    report.target("scanning is under 1 % of indexing", f"{share:.2%}", share < 0.01)
    report.target(f"no text of 1 MB takes {_WORST:g} s", f"{worst:.2f} s", worst < _WORST)
    report.finish()


def _share(texts: list[tuple[str, str]]) -> float:
    sample = Random(7).sample(texts, 300)
    chunks: list[Chunk] = []

    def cut() -> None:
        for path, text in sample:
            chunks.extend(chunk(text, language=language_of(path, text[:200].partition("\n")[0])))

    scanning = _seconds(lambda: [secrets.scan(text) for _, text in sample])
    chunking = _seconds(cut)
    embedding = _embedding(Random(7).sample(chunks, _EMBEDDED)) * len(chunks) / _EMBEDDED
    return scanning / (scanning + chunking + embedding)


def _embedding(chunks: Iterable[Chunk]) -> float:
    from almanac.embeddings.local import LocalEmbedder
    from bench.embedding_bench import MODEL_DIR, ROOT

    subprocess.run([sys.executable, ROOT / "layers" / "model" / "fetch_model.py", MODEL_DIR], check=True, stdout=2)
    model, texts = LocalEmbedder(MODEL_DIR), [embedding_text(each) for each in chunks]
    model.load()
    return _seconds(lambda: asyncio.run(model.embed_documents(texts)))


def _adversarial() -> Iterator[tuple[str, float]]:
    """Yield what a megabyte takes of each beginning of a secret, over and over, also beside others."""
    for name in _BEGINNINGS.split():
        start = name.replace("_PRIVATE_", " PRIVATE ")
        for joint in ("", "-", "a", " "):
            text = (start + joint) * (_MEGABYTE // len(start + joint)) + " T3BlbkFJ eyJ :// PRIVATE KEY"
            taken = _seconds(lambda text=text: secrets.scan(text))  # type: ignore[misc]
            progress(f"{name!r} {joint!r}: {taken:.2f} s")
            yield f"{start}{joint}", taken


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _texts() -> Iterator[tuple[str, str]]:
    from pathlib import Path

    left = _MOST
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*")):
        if path.suffix in _SUFFIXES and path.is_file() and path.stat().st_size < _MEGABYTE:
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            left -= len(text)
            yield str(path), text
            if left < 0:
                return


if __name__ == "__main__":
    main()
