"""What search costs in dollars: the cost model over what `search` measured, beside managed services."""

import asyncio
import time

from almanac.embeddings.local import LocalEmbedder
from bench.cost_model import (
    PRICES,
    Assumed,
    Measured,
    bedrock_embedded,
    function_gb,
    managed,
    million_embedded,
    million_queries,
    million_stored,
)
from bench.embedding_bench import cores
from bench.report import Report, median
from bench.search_bench import kept
from bench.search_cache import cache
from bench.search_corpus import lines_of, texts

CHUNKS = 60


def main() -> None:
    assumed = Assumed()
    question_ms, per_second = _embedding()
    measured = [
        Measured(
            chunks=int(rows),
            query_ms=each["hybrid"]["p50"],
            question_ms=question_ms,
            part_bytes=each["built"]["size"] / each["rows"],
            resident_bytes=each["nbytes"] / each["rows"],
            chunks_per_second=per_second,
            merged_seconds=each["built"]["seconds_merged"] / each["rows"],
        )
        for rows, each in kept("search").items()
    ]
    report = Report(
        "Cost", _method(measured, assumed), ["dollars", *(f"tenant of {m.chunks:,} chunks" for m in measured)]
    )
    for title, part in (
        ("a million queries", million_queries),
        ("a million chunks stored, a month", million_stored),
        ("a million chunks embedded and indexed", million_embedded),
    ):
        columns = [part(each, assumed) for each in measured]
        report.row(f"**{title}**", *(f"**{sum(column.values()):.2f}**" for column in columns))
        for name in columns[0]:
            report.row(name, *(f"{column[name]:.3f}" for column in columns))
    report.row(
        "embedded by Bedrock (Titan V2) instead of Lambda", *(f"{bedrock_embedded(assumed):.2f}" for _ in measured)
    )
    report.row("memory of the search function, GB", *(f"{function_gb(each, assumed):.0f}" for each in measured))
    report.finish()


def _embedding() -> tuple[float, float]:
    """Return a question's milliseconds, and chunks a second, on this machine's one core."""
    model = LocalEmbedder(cache("model"))
    model.load()
    chunks = [line["text"] for line in lines_of(texts(CHUNKS), CHUNKS)]
    with cores(1):
        began = time.perf_counter()
        asyncio.run(model.embed_documents(chunks))
        per_second = len(chunks) / (time.perf_counter() - began)
    questions = []
    for _ in range(30):
        began = time.perf_counter()
        asyncio.run(model.embed_query("where is the header parsed"))
        questions.append((time.perf_counter() - began) * 1000)
    return median(questions), per_second


def _method(measured: list[Measured], assumed: Assumed) -> str:
    largest = measured[-1]
    engine = ", ".join(f"{each.query_ms:.1f} ms at {each.chunks:,} chunks" for each in measured)
    paragraphs = [
        f"""List prices in us-east-1, without free tiers, taxes and data transfer; `bench/cost_model.py` holds them and
the formulae. Measured here: the engine's p50, {engine}; a question's vector, {largest.question_ms:.1f} ms;
{largest.chunks_per_second:.1f} chunks embedded a second and core; {largest.merged_seconds * 1e6:.0f} microseconds of
compaction a chunk; {largest.part_bytes:.0f} bytes a chunk stored, {largest.resident_bytes:.0f} resident. A Lambda core
is taken to be as fast as this machine's.""",
        f"""Assumed: {assumed.store_ms:.0f} ms of waiting for DynamoDB a query, an authorizer call of
{assumed.authorizer_ms:.0f} ms for each, a manifest of {assumed.manifest_kb:.0f} KB, {assumed.chunks_per_batch} chunks
a batch, {assumed.tokens} tokens a chunk, every chunk rewritten {assumed.merges:.0f} times by compaction, as much
history as index. Cold starts and downloads are left out: an environment serves thousands of queries.""",
        """Queries = (engine + question + waiting) x memory x GB-second + authorizer + 2 requests + HTTP API
+ (manifest / 4 KB + 2) reads. Stored = (index x 2 + sources) x S3 + cached vectors x DynamoDB. Embedded = chunks
/ (chunks a second) x 2 GB x GB-second + compaction x 3 GB x GB-second + reads and writes of the cache + per
batch: 6 writes, 2 PUT, 2 GET, 4 SQS, 3 invocations.""",
        "Managed services for one million chunks (384 dimensions in float32, and 500 bytes to filter and cite by):",
    ]
    flowing = [paragraph.replace("\n", " ") for paragraph in paragraphs]
    return "\n\n".join([*flowing, _alternatives(assumed), _prices()])


def _prices() -> str:
    read = "; ".join(f"{p.unit} ${p.dollars:.8g} ({p.page}, {p.dated})" for p in PRICES.values() if p.page)
    unread = "; ".join(f"{p.unit} ${p.dollars:.8g}" for p in PRICES.values() if not p.page)
    return (
        f"Prices with the page and the date that they were read at: {read}. Long-standing prices that no page at hand "
        f"confirmed: {unread}. The providers' own lists could not be read here: look there before you rely on one."
    )


def _alternatives(assumed: Assumed) -> str:
    lines = [
        "| service | a month at rest | a million queries | filling it | remark |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for each in managed(assumed):
        queries = "in it" if not each.queries else f"{each.queries:.2f}"
        lines.append(f"| {each.name} | {each.month:.2f} | {queries} | {each.filling:.2f} | {each.remark} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
