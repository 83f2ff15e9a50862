"""Reading files: pages a second with chunking, memory, and words found beside other libraries.

`python -m bench.reading_bench`. The files are made here, so which words are in them is known.
"""

import asyncio
import io
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import docx
import openpyxl
import pptx
import pypdf
from PIL import Image, ImageDraw, ImageFont
from pptx.util import Inches

from almanac.text.chunking import chunk
from bench.report import Report, progress
from documents.reading import process, reader
from documents.reading.model import Limits
from tests.support import tessdata
from tests.unit.reading import files

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
PAGES = 200 if QUICK else 1_000
PART = 20
SCANNED = 4 if QUICK else 20
ROUNDS = 1 if QUICK else 3
TARGET_PAGES_A_SECOND = 100
TARGET_MEGABYTES = 512
_WORD = re.compile(r"\w+")
_RANDOM = random.Random(5)
_SYLLABLES = ["ka", "lo", "mi", "ren", "tas", "vo", "dur", "pel", "sin", "gra", "bo", "ten", "lu", "mar", "qui", "des"]


class Made(NamedTuple):
    """A file, the words that were written into it, and how another library reads it."""

    name: str
    content: bytes
    written: Counter[str]
    peer: str
    read: Callable[[Path], Iterable[str]]


class Measured(NamedTuple):
    recall: float
    seconds: float


class Words:
    """Words of which none is like another, so that every loss shows; what was written is counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, number: int) -> str:
        words = ["".join(_RANDOM.choices(_SYLLABLES, k=3)) + str(_RANDOM.randrange(1000)) for _ in range(number)]
        self.counts.update(words)
        return " ".join(words)


def main() -> None:
    report = Report(
        "Reading files",
        "Files made by the benchmark, of words that are all different. Pages: a PDF of 2,600 characters a page, read "
        f"in parts of {PART} as the worker does, each in a process of its own, and cut into chunks; processor time of "
        "all processes together, so one busy core. Beside others: the same files, one after the other, in one run; our "
        f"time has the processes in it, theirs no imports; the best of {ROUNDS} rounds. Recognised pages: words of the "
        "project's documentation on A4 at 200 dots per inch, 330 a page, with specks, every fourth page on its side.",
        ["what", "measured"],
    )
    with tempfile.TemporaryDirectory() as directory:
        rate, first, megabytes = pages_a_second(Path(directory))
        report.row("starting the process that opens files, once", f"{first * 1000:.0f} ms")
        report.row("text pages a second, chunking included", f"{rate:.0f}")
        report.row("peak memory of the process that reads", f"{megabytes:.0f} MB")
        ours, theirs, at_least = beside_others(Path(directory), report)
        seconds, recall, megabytes = recognised(Path(directory))
        report.row("processor seconds a page whose text is recognised", f"{seconds:.1f}")
        report.row("words found on such pages", f"{recall:.2%}")
        report.row("peak memory of the process that recognises", f"{megabytes:.0f} MB")
    report.target(
        f"at least {TARGET_PAGES_A_SECOND} text pages a second on one core, chunking included",
        f"{rate:.0f}",
        rate >= TARGET_PAGES_A_SECOND,
    )
    report.target(f"memory under {TARGET_MEGABYTES} MB", f"{megabytes:.0f} MB", megabytes < TARGET_MEGABYTES)
    report.target("word recall at least as good on each file", "yes" if at_least else "no", at_least)
    report.target("faster in total", f"{ours:.2f} s to {theirs:.2f} s", ours < theirs)
    report.finish()


def pages_a_second(directory: Path) -> tuple[float, float, float]:
    """Return pages a second of processor time, seconds to start the process, and its peak memory in MB."""
    path = directory / "long.pdf"
    words = Words()
    path.write_bytes(files.pdf(["\n".join(words(7) for _ in range(34)) for _ in range(PAGES)]))
    began = time.perf_counter()
    found = asyncio.run(reader.probe(path, name="long.pdf"))
    first = time.perf_counter() - began
    before = _processor_seconds()

    async def whole() -> int:
        chunks = 0
        for start in range(1, PAGES + 1, PART):
            reading = await reader.read(path, found, start, start + PART - 1)
            chunks += sum(len(chunk(page.text, language="markdown")) for page in reading.pages)
        return chunks

    began = time.perf_counter()
    chunks = asyncio.run(whole())
    wall = time.perf_counter() - began
    process.pool.close()
    taken = _processor_seconds() - before
    progress(f"{PAGES} pages, {chunks} chunks: {taken:.2f} s of processor, {wall:.2f} s")
    return PAGES / taken, first, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def recognised(directory: Path) -> tuple[float, float, float]:
    """Return processor seconds a page whose text is recognised, the share of words found, and the peak memory in MB."""
    sys.path.insert(0, str(tessdata.fetched()))
    process.pool.close()
    path = directory / "scan.pdf"
    known = re.findall(r"[a-z]{3,}", (tessdata.ROOT / "docs" / "documents.md").read_text())
    pages = [[_RANDOM.choices(known, k=11) for _ in range(30)] for _ in range(SCANNED)]
    first, *others = [_scan(lines, 90 if number % 4 == 3 else 0) for number, lines in enumerate(pages)]
    first.save(path, "PDF", save_all=True, append_images=others, resolution=200)
    limits = Limits(seconds=SCANNED * 60, ocr="tesseract")
    before = _processor_seconds()

    async def whole() -> Counter[str]:
        found = await reader.probe(path, name="scan.pdf", limits=limits)
        reading = await reader.read(path, found, limits=limits)
        return Counter(word for page in reading.pages for word in _WORD.findall(page.text))

    words = asyncio.run(whole())
    process.pool.close()
    written = Counter(word for lines in pages for line in lines for word in line)
    seconds = (_processor_seconds() - before) / SCANNED
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return seconds, (words & written).total() / written.total(), peak


def _scan(lines: list[list[str]], degrees: int) -> Image.Image:
    picture = Image.new("L", (1654, 2339), 245)
    drawing = ImageDraw.Draw(picture)
    for number, words in enumerate(lines):
        drawing.text((120, 150 + 68 * number), " ".join(words), font=ImageFont.load_default(28), fill=30)
    for _ in range(2_000):
        drawing.point((_RANDOM.randrange(1654), _RANDOM.randrange(2339)), _RANDOM.randrange(256))
    return picture.rotate(degrees, expand=True)


def _processor_seconds() -> float:
    """Return the processor time of this process and of every one that has ended below it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def beside_others(directory: Path, report: Report) -> tuple[float, float, bool]:
    """Return our seconds and theirs in total, and whether no word recall of ours is lower."""
    ours, theirs, at_least = 0.0, 0.0, True
    for made in (pdf_file(), word_file(), presentation(), workbook()):
        path = directory / made.name
        path.write_bytes(made.content)
        mine = _best(lambda path=path: _read(path), made.written)  # type: ignore[misc]
        other = _best(lambda path=path, made=made: made.read(path), made.written)  # type: ignore[misc]
        ours, theirs = ours + mine.seconds, theirs + other.seconds
        at_least = at_least and mine.recall >= other.recall
        report.row(
            f"{made.name} ({len(made.content) / 1e6:.1f} MB), word recall and time",
            f"{mine.recall:.2%} in {mine.seconds:.2f} s; {made.peer} {other.recall:.2%} in {other.seconds:.2f} s",
        )
    return ours, theirs, at_least


def _best(read: Callable[[], Iterable[str]], written: Counter[str]) -> Measured:
    recall, best = 0.0, float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        text = "\n".join(read())
        best = min(best, time.perf_counter() - began)
        found = Counter(_WORD.findall(text))
        recall = sum((found & written).values()) / written.total()
    return Measured(recall, best)


def _read(path: Path) -> list[str]:
    async def pages() -> list[str]:
        found = await reader.probe(path, name=path.name)
        return [page.text for page in (await reader.read(path, found)).pages]

    return asyncio.run(pages())


def _saved(file: Any) -> bytes:
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def pdf_file() -> Made:
    words = Words()
    content = files.pdf(["\n".join(words(7) for _ in range(34)) for _ in range(PAGES // 4)])
    return Made("report.pdf", content, words.counts, "pypdf", _by_pypdf)


def _by_pypdf(path: Path) -> Iterator[str]:
    return (page.extract_text() for page in pypdf.PdfReader(path).pages)


def word_file() -> Made:
    words, file = Words(), docx.Document()
    for _ in range(PAGES // 10):
        file.add_heading(words(3), 1)
        for _ in range(6):
            file.add_paragraph(words(60))
        file.add_paragraph(words(12), style="List Bullet")
        table = file.add_table(6, 4)
        for row in table.rows:
            for cell in row.cells:
                cell.text = words(3)
    return Made("plan.docx", _saved(file), words.counts, "python-docx", _by_python_docx)


def _by_python_docx(path: Path) -> Iterator[str]:
    file = docx.Document(str(path))
    yield from (paragraph.text for paragraph in file.paragraphs)
    yield from (cell.text for table in file.tables for row in table.rows for cell in row.cells)


def presentation() -> Made:
    words, file = Words(), pptx.Presentation()
    for _ in range(PAGES // 10):
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = words(5)
        slide.placeholders[1].text = "\n".join(words(9) for _ in range(5))
        slide.notes_slide.notes_text_frame.text = words(40)
        slide.shapes.add_group_shape().shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame.text = words(6)
        table = slide.shapes.add_table(4, 3, 0, 0, Inches(4), Inches(2)).table
        for row in table.rows:
            for cell in row.cells:
                cell.text = words(2)
    return Made("review.pptx", _saved(file), words.counts, "python-pptx", _by_python_pptx)


def _by_python_pptx(path: Path) -> Iterator[str]:
    for slide in pptx.Presentation(str(path)).slides:
        yield from _shapes(slide.shapes)
        if slide.has_notes_slide:
            yield slide.notes_slide.notes_text_frame.text


def _shapes(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            yield from (cell.text for row in shape.table.rows for cell in row.cells)
        elif hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)


def workbook() -> Made:
    words, file = Words(), openpyxl.Workbook()
    file.remove(file.active)
    for number in range(3):
        sheet = file.create_sheet(f"Sheet {number}")
        for _ in range(PAGES * 3):
            sheet.append([words(1), words(2), _RANDOM.randrange(10**6), words(1), _RANDOM.random(), words(3)])
    return Made("costs.xlsx", _saved(file), words.counts, "openpyxl", _by_openpyxl)


def _by_openpyxl(path: Path) -> Iterator[str]:
    file = openpyxl.load_workbook(path, read_only=True, data_only=True)
    for sheet in file.worksheets:
        for row in sheet.iter_rows(values_only=True):
            yield " ".join(str(value) for value in row if value is not None)
    file.close()


if __name__ == "__main__":
    main()
