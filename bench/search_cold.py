"""A reader's first answer for a tenant of which it has nothing: `python -m bench.search_cold PART CORPUS` prints JSON.

The part lies in S3 and its name in the manifest, both served by moto over HTTP on loopback.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from almanac import runtime
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.index.copies import Copies
from almanac.index.manifest import Directory, Manifest, PartRef, Snapshot
from almanac.index.reader import Reader
from almanac.index.retrieval import Query
from bench.search_engine import LIMIT, WEIGHT, queries
from bench.search_parts import MODEL
from bench.store import logs_aside, run, store

INDEX = "bench"
TENANT = "ten_bench"
ROUNDS = 5


async def measure(file: Path, query: Query) -> dict[str, Any]:
    """Return milliseconds of each round to the first answer and to the next, and of the mere download."""
    clients = runtime.clients()
    table, blobs = Table(os.environ["ALMANAC_TABLE"], clients), Blobs(os.environ["ALMANAC_BUCKET"], clients)
    directory = Directory.default(INDEX, MODEL.name)
    await _fill(table, blobs, directory, file)

    async def asking(_: Any) -> Query:
        return query

    firsts: list[float] = []
    seconds: list[float] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as scratch:
            copies = Copies(blobs, Path(scratch), budget=1 << 33)
            reader = Reader(table, blobs, lambda _: MODEL, directory, copies)
            # Another tenant was served before: code is loaded, connections are open.
            await reader.search("ten_other", asking, LIMIT)
            for taken in (firsts, seconds):
                began = time.perf_counter()
                found = await reader.search(TENANT, asking, LIMIT)
                taken.append((time.perf_counter() - began) * 1000)
                assert len(found.hits) == LIMIT
    download = await _download(blobs, file)
    await clients.close()
    return {"first": firsts, "second": seconds, "one_get": download}


async def _fill(table: Table, blobs: Blobs, directory: Directory, file: Path) -> None:
    body = await asyncio.to_thread(file.read_bytes)
    await blobs.put(keys.part_object(TENANT, INDEX, file.name), body)
    snapshot = Snapshot(INDEX, 0, 1, MODEL.fingerprint, PartRef(file.name, 0, len(body)))
    await table.write(Manifest(table, TENANT, directory).swap(snapshot))


async def _download(blobs: Blobs, file: Path) -> float:
    """Return the milliseconds that the store takes for the object alone, in one request."""
    began = time.perf_counter()
    await blobs.get(keys.part_object(TENANT, INDEX, file.name))
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    text, code = queries(Path(sys.argv[2]))[1]
    with store(), logs_aside():
        answer = run(measure(Path(sys.argv[1]), Query(text, code, WEIGHT)))
    print(json.dumps(answer))
