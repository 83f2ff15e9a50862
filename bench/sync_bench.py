"""The sync of a repository of 500 files, beside embedding the same chunks and nothing else; then again, unchanged."""

import asyncio
import json
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from almanac_cli.client import Document
from almanac_cli.repositories import watch
from bench.deployed import Deployed, deployed, git_host
from bench.report import Report, progress
from infra.local import logs
from infra.local.layout import model_cache

FILES = 500
SMALLEST, LARGEST = 500, 8_000
# The local stack's limit on concurrent embedding workers (template.yaml, EmbeddingWorkerSource).
WORKERS = 2
TARGET = 1.3
RESYNC_SECONDS = 1.0


def corpus() -> dict[str, str]:
    """Return 500 modules of this Python's standard library, by path."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found: dict[str, str] = {}
    for file in sorted(library.rglob("*.py")):
        if "site-packages" in file.parts or not SMALLEST <= file.stat().st_size <= LARGEST:
            continue
        try:
            found[file.relative_to(library).as_posix()] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if len(found) == FILES:
            break
    return found


def chunk_texts(files: dict[str, str]) -> list[str]:
    """Return what the embedding workers embed: every chunk's text once."""
    from almanac.text.chunking import chunk, embedding_text

    texts = (embedding_text(part) for path, text in files.items() for part in chunk(text, path=path))
    return list(dict.fromkeys(texts))


def embed_alone(texts: list[str]) -> float:
    """Return the seconds that as many processes as the stack has workers take for the texts, models loaded before."""
    command = [sys.executable, "-m", "bench.sync_bench", "embed", str(model_cache())]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    for number, worker in enumerate(workers):
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(texts[number::WORKERS]) + "\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate()
    return time.perf_counter() - began


def embed_worker(model_dir: str) -> None:
    """Embed what stdin names, once it says go."""
    from almanac.embeddings.local import LocalEmbedder

    texts = json.loads(sys.stdin.readline())
    embedder = LocalEmbedder(Path(model_dir))
    embedder.load()
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(embedder.embed_documents(texts))


def timed_sync(stack: Deployed, repository: Document, *, ask: bool) -> float:
    """Return the seconds until the repository is synced, asked to first or not."""
    began = time.perf_counter()
    if ask:
        path = f"/api/v1/projects/{repository['project_id']}/repositories/{repository['id']}/sync"
        stack.api.post(path)
    watch(stack.api, repository, 900.0, quiet=True)
    return time.perf_counter() - began


def logged(stack: Deployed, function: str, event: str, since: float) -> list[Document]:
    """Return the log records of one kind that a function has written since a moment (epoch seconds)."""
    found = []
    for line in logs.function_lines(stack.info.endpoint_url, function, int(time.time() - since) + 2, follow=False):
        record = _record(line.text)
        if record.get("message") == event and line.at / 1000 >= since:
            found.append(record)
    return found


def main() -> None:
    files = corpus()
    texts = chunk_texts(files)
    progress(f"sync: {len(files)} files, {len(texts)} chunks")
    with deployed() as stack, git_host() as host:
        project = stack.project("sync")
        alone = [embed_alone(texts)]
        progress(f"sync: embedding alone took {alone[0]:.1f} s")
        _warm(stack, project)
        host.push(files)
        path = f"/api/v1/projects/{project}/repositories"
        started = time.time()
        repository = stack.api.post(path, {"url": host.url})
        synced = timed_sync(stack, repository, ask=False)
        progress(f"sync: took {synced:.1f} s")
        chunks = sum(record["chunks"] for record in logged(stack, "embedding-worker", "batch indexed", started))
        alone.append(embed_alone(texts))
        again_from = time.time()
        again = timed_sync(stack, repository, ask=True)
        embedded = sum(record["embedded"] for record in logged(stack, "embedding-worker", "batch indexed", again_from))
    peer = sum(alone) / len(alone)
    megabytes = sum(map(len, files.values())) / 1e6
    report = Report(
        "Sync of a repository of 500 files",
        f"{len(files)} modules of this Python's standard library ({megabytes:.1f} MB) in one commit, over git's HTTP "
        "protocol to the local stack, warm: from the answer to connecting it until its state is `synced` "
        f"({chunks} chunks). Beside it, in the same run, before and after: {len(texts)} distinct chunks through the "
        f"bare local embedder in {WORKERS} processes, which is how many embedding workers the local stack runs.",
        ["", "seconds"],
    )
    report.row("sync", f"{synced:.1f}")
    report.row("embedding alone, before and after", " and ".join(f"{seconds:.1f}" for seconds in alone))
    report.row("unchanged re-sync, from the request to `synced`", f"{again:.2f}")
    report.target(f"sync at most {TARGET}x embedding alone", f"{synced / peer:.2f}x", synced / peer <= TARGET)
    text = f"unchanged: under {RESYNC_SECONDS:.0f} s, no embeddings"
    report.target(text, f"{again:.2f} s, {embedded} embeddings", again < RESYNC_SECONDS and embedded == 0)
    report.finish()


def _warm(stack: Deployed, project: str) -> None:
    """Let every function on the road start before anything is timed."""
    with git_host() as host:
        host.push({f"warm_{number}.py": f"WARM_{number} = {number}\n" for number in range(60)})
        repository = stack.api.post(f"/api/v1/projects/{project}/repositories", {"url": host.url})
        timed_sync(stack, repository, ask=False)
        timed_sync(stack, repository, ask=True)


def _record(text: str) -> Document:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


if __name__ == "__main__":
    if sys.argv[1:2] == ["embed"]:
        embed_worker(sys.argv[2])
    else:
        main()
