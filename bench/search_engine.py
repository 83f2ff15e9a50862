"""One measurement of the engine in a process of its own, on one core: `python -m bench.search_engine NAME ARGUMENT...`.

Prints JSON. A process of its own, so that memory and opening are those of a reader that has done nothing else.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from almanac.index.encoding import encode
from almanac.index.filters import Filters
from almanac.index.parts import open_part
from almanac.index.retrieval import Hit, Query, search
from almanac.index.visibility import Facts, View
from bench.report import percentile
from bench.search_corpus import PROJECTS
from bench.search_parts import MODEL, open_file, segments
from bench.search_vectors import query_codes_of

LIMIT = 10
WEIGHT = 0.7
WARM = 10
NEW_ROWS = 500
_PAGE = 4096

Queries = list[tuple[str, NDArray[np.int8]]]


def queries(folder: Path) -> Queries:
    texts = [question["text"] for question in json.loads((folder / "questions.json").read_text())]
    codes = query_codes_of(np.load(folder / "questions.npy"))
    return list(zip(texts, codes, strict=True))


def warm(part_file: str, corpus: str) -> dict[str, Any]:
    """Measure queries of every kind on a mapped part, and what memory the process then has for it."""
    asked = queries(Path(corpus))
    before = _resident()
    part = open_file(Path(part_file))
    view = View([part], Facts())
    answer: dict[str, Any] = {"rows": view.rows}
    answer["hybrid"], hybrid = timed(view, [Query(text, code, WEIGHT) for text, code in asked])
    answer["resident"] = _resident() - before
    answer["nbytes"] = part.nbytes
    rare = [Filters(projects=frozenset({f"prj{number % PROJECTS}"})) for number in range(len(asked))]
    filtered = [Query(text, code, WEIGHT, filters) for (text, code), filters in zip(asked, rare, strict=True)]
    answer["project"], pages = timed(view, filtered)
    answer["project"]["full"] = sum(len(page) == LIMIT for page in pages) / len(pages)
    glob = Filters(paths=("scipy/**/s*.py",))
    answer["glob"], _ = timed(view, [Query(text, code, WEIGHT, glob) for text, code in asked])
    answer["words"], _ = timed(view, [Query(text, None, 0.0) for text, _ in asked])
    answer["dense"], dense = timed(view, [Query("", code, 1.0) for _, code in asked])
    longest = [search(view, Query(text, code, WEIGHT), LIMIT, exhaustive=True) for text, code in asked]
    answer["same_as_exhaustive"] = _agreement(hybrid, longest)
    answer["dense_found"] = [[_document(hit) for hit in page] for page in dense]
    answer["hybrid_found"] = [[_document(hit) for hit in page] for page in hybrid]
    return answer


def words(part_file: str, corpus: str) -> dict[str, float]:
    """Measure queries by words alone."""
    view = View([open_file(Path(part_file))], Facts())
    return timed(view, [Query(text, None, 0.0) for text, _ in queries(Path(corpus))])[0]


def opening(part_file: str, corpus: str) -> dict[str, float]:
    """Measure from a file on disk to the first answer; the file's pages are in the system's memory already."""
    asked = queries(Path(corpus))
    Path(part_file).read_bytes()
    # A reader's process has loaded its code before a request comes.
    text, code = asked[1]
    began = time.perf_counter()
    view = View([open_file(Path(part_file))], Facts())
    assert len(search(view, Query(text, code, WEIGHT), LIMIT)) == LIMIT
    return {"milliseconds": (time.perf_counter() - began) * 1000}


def appending(part_file: str, corpus: str, rows: str) -> dict[str, Any]:
    """Measure from the bytes of a new segment to the first answer that knows it, in a warm reader."""
    asked = queries(Path(corpus))
    base = open_file(Path(part_file))
    view = View([base], Facts())
    timed(view, [Query(text, code, WEIGHT) for text, code in asked[:30]])
    first = int(rows)
    taken, encoding = [], []
    for segment in segments(Path(corpus), first, first + 9 * NEW_ROWS, NEW_ROWS):
        began = time.perf_counter()
        encoded = encode(segment)
        encoding.append((time.perf_counter() - began) * 1000)
        # What is new of a file that the index has is a new version of it.
        began = time.perf_counter()
        fresh = open_part(encoded.body, name=encoded.sha256, key="new", model=MODEL)
        grown = View([base, fresh], Facts())
        found = search(grown, Query(segment.sources[0].title, None, 0.0), LIMIT)
        taken.append((time.perf_counter() - began) * 1000)
        assert any(hit.info.source_id == segment.sources[0].source_id for hit in found)
    return {"visible": taken, "encoding": encoding}


def timed(view: View, asked: Sequence[Query]) -> tuple[dict[str, float], list[list[Hit]]]:
    """Return percentiles in milliseconds, with the processor's own time, and the answers."""
    for query in asked[:WARM]:
        search(view, query, LIMIT)
    taken, computing, answers = [], [], []
    for query in asked:
        began, processor = time.perf_counter(), time.process_time()
        answers.append(search(view, query, LIMIT))
        taken.append((time.perf_counter() - began) * 1000)
        computing.append((time.process_time() - processor) * 1000)
    figures = {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}
    return {**figures, "processor_p50": percentile(computing, 0.5)}, answers


def _agreement(found: Sequence[Sequence[Hit]], truth: Sequence[Sequence[Hit]]) -> float:
    pairs = zip(found, truth, strict=True)
    same = [
        len({hit.position for hit in mine} & {hit.position for hit in theirs}) / len(theirs) for mine, theirs in pairs
    ]
    return sum(same) / len(same)


def _document(hit: Hit) -> int:
    return int(hit.info.source_id.rpartition(":")[2])


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


COMMANDS: dict[str, Callable[..., Any]] = {"warm": warm, "words": words, "opening": opening, "appending": appending}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
