"""How soon a file is searchable on the deployed local stack, warm: its first page, and a thousand of them."""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from almanac.embeddings.cache import EmbeddingService
from almanac.embeddings.local import LocalEmbedder
from almanac.text.chunking import chunk, embedding_text
from bench.deployed import Deployed, deployed, rare_word
from bench.embedding_bench import NoCache
from bench.report import Report, percentile, progress
from infra.local import deploy
from tests.unit.reading.files import pdf

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
TRIES = 5 if QUICK else 20
WARM = 2
PAGES = 100 if QUICK else 1000
PATIENCE_SECONDS = 1800.0
QUIET_LOOKS = 3
WARM_PAGES = 100
TARGET_FIRST_PAGE_SECONDS = 4.0
TARGET_RATIO = 1.15
DOCUMENTS = "/api/v1/documents"
MODEL_DIR = Path(__file__).parents[1] / ".local" / "model"
_ENDED = {"ready", "partial", "failed", "cancelled", "expired"}
_SENTENCE = (
    "the supplier delivers what was ordered within agreed time and every invoice is checked against its order before "
    "payment while changes of scope are written down with cost risk owner date and reason so that a later reader may "
    "follow why one decision was taken rather than another when budget people or law changed during the project"
)
_WORDS = _SENTENCE.split()


def page(number: int, first: str = "") -> str:
    """Return about 2,600 characters of text that no other page has."""
    words = random.Random(f"{number} {first} {time.time_ns()}")
    lines = [f"{first} Section {number}".strip()]
    lines += [f"{' '.join(words.choices(_WORDS, k=11))} {words.randrange(10**6)}." for _ in range(34)]
    return "\n".join(lines)


def uploaded(stack: Deployed, content: bytes) -> tuple[str, float]:
    """Upload a file; returns the document's id and when the store had taken it, on the performance clock."""
    body = {"filename": "bench.pdf", "content_type": "application/pdf", "size": len(content)}
    answer = stack.api.post(DOCUMENTS, body)
    form = answer["upload"]
    with httpx.Client(timeout=120.0, trust_env=False) as store:
        store.post(form["url"], data=form["fields"], files={"file": ("bench.pdf", content)}).raise_for_status()
    return str(answer["id"]), time.perf_counter()


def first_pages(stack: Deployed) -> list[float]:
    """Return seconds from a file's arrival in the store to the first search that finds its first page."""
    taken = []
    for _ in range(WARM + TRIES):
        word = rare_word()
        document, accepted = uploaded(stack, pdf([page(number, word if number == 1 else "") for number in range(1, 6)]))
        body = {"q": word, "document": [document], "limit": 1}
        while not any(word in hit["excerpt"] for hit in stack.api.post("/api/v1/search", body)["items"]):
            if time.perf_counter() - accepted > PATIENCE_SECONDS:
                raise RuntimeError(f"{document} was not found")
        taken.append(time.perf_counter() - accepted)
        ended(stack, document)
    return taken[WARM:]


def ended(stack: Deployed, document: str) -> dict[str, Any]:
    """Wait until a document's job has ended well."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while (found := stack.api.get(f"{DOCUMENTS}/{document}"))["state"] not in _ENDED:
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{document} is still {found['state']}: {found['job']}")
        time.sleep(0.2)
    if found["state"] != "ready":
        raise RuntimeError(f"{document} is {found['state']}: {found['cause']}")
    return dict(found)


def come_to_rest(stack: Deployed) -> None:
    """Wait until nothing is queued or in hand: what documents state is embedded after they are searchable."""
    sqs = deploy.client("sqs", deploy.port_of(stack.info.endpoint_url))
    urls = [url for url in sqs.list_queues()["QueueUrls"] if "DeadLetter" not in url]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline, quiet = time.perf_counter() + PATIENCE_SECONDS, 0
    while quiet < QUIET_LOOKS:
        if time.perf_counter() > deadline:
            raise RuntimeError("the stack did not come to rest")
        time.sleep(1.0)
        found = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in urls]
        quiet = 0 if any(int(each[name]) for each in found for name in names) else quiet + 1


def long_document(stack: Deployed, pages: Sequence[str]) -> tuple[float, float, int]:
    """Return seconds until all pages were searchable, until the job had ended, and how many chunks there were."""
    document, accepted = uploaded(stack, pdf(pages))
    searchable = 0.0
    while (found := stack.api.get(f"{DOCUMENTS}/{document}"))["state"] not in _ENDED:
        counts = found["job"]["counts"] if found["job"] else {}
        if not searchable and counts and counts["parts"] and counts["parts_indexed"] == counts["parts"]:
            searchable = time.perf_counter() - accepted
        progress(f"  {found['state']} {found['job'] and found['job']['percent']}")
        time.sleep(1.0)
    whole = time.perf_counter() - accepted
    return searchable or whole, whole, int(ended(stack, document)["job"]["counts"]["chunks"])


def bare_embedding(pages: Sequence[str]) -> tuple[float, int]:
    """Return the seconds that the model takes for the same chunks in one process, on all cores, and their number."""
    texts = [embedding_text(part) for text in pages for part in chunk(text, path="bench.pdf")]
    model = LocalEmbedder(MODEL_DIR)
    model.load()
    service = EmbeddingService(model, NoCache())
    asyncio.run(service.embed(texts[:8]))
    began = time.perf_counter()
    asyncio.run(service.embed(texts))
    return time.perf_counter() - began, len(texts)


def main() -> None:
    progress(f"documents: {TRIES} of five pages, one of {PAGES}")
    pages = [page(number) for number in range(1, PAGES + 1)]
    before, bare_chunks = bare_embedding(pages)
    with deployed() as stack:
        first = first_pages(stack)
        # One small file at a time never had two workers of a kind: this brings the second up, unpacked and loaded.
        long_document(stack, [page(number) for number in range(1, WARM_PAGES + 1)])
        come_to_rest(stack)
        searchable, whole, chunks = long_document(stack, pages)
    after, _ = bare_embedding(pages)
    # The text layer of a file is cut where its lines are, so that a few chunks more or fewer come of it.
    expected = (before + after) / 2 * chunks / bare_chunks
    report = Report(
        "Documents",
        f"On the local stack, deployed from the template, warm. {TRIES} PDF files of five pages, one after another: "
        "from the store's answer to the upload until a search, asked again without a pause, shows a word of the first "
        f"page. One PDF file of {PAGES} pages (mean {sum(map(len, pages)) // len(pages)} characters, {chunks} chunks), "
        "from the same moment until all of it is searchable, beside the bare model on the same texts: one process, all "
        "cores, nothing else at work, the mean of a run before and one after. All between is real: notification, "
        "queues, stream, child process, workers.",
        ["seconds", "p50", "p95", "max"],
    )
    report.row("accepted -> first page found", *(f"{percentile(first, share):.2f}" for share in (0.5, 0.95, 1)))
    report.row(f"{PAGES} pages searchable", f"{searchable:.1f}", "", "")
    report.row(f"the bare embedding of their chunks ({before:.1f}, {after:.1f})", f"{expected:.1f}", "", "")
    report.row("its job ended, analysis included", f"{whole:.1f}", "", "")
    p50, ratio = percentile(first, 0.5), searchable / expected
    held = p50 < TARGET_FIRST_PAGE_SECONDS
    report.target(f"first page: p50 < {TARGET_FIRST_PAGE_SECONDS:.0f} s", f"{p50:.2f} s", held)
    report.target(
        f"{PAGES} pages: at most {TARGET_RATIO}x of the bare embedding", f"{ratio:.2f}x", ratio <= TARGET_RATIO
    )
    report.finish()


if __name__ == "__main__":
    main()
