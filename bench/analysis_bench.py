"""How much the analysis finds of what a person finds, which promises it recognises again, and what both take."""

import asyncio
import os
import random
import resource
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from bench.report import Report, progress

if TYPE_CHECKING:
    from documents.analysis.commitments import Told
    from documents.analysis.units import Page

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
PAGES = 100 if QUICK else 1000
PAGE_CHARACTERS = 3000
SECONDS_TARGET = 30.0
MEGABYTES_TARGET = 300
DOCUMENTS, PROMISES_EACH = 500, 12
COMPARING_SECONDS = 2.0
MODEL_DIR = Path(__file__).parents[1] / ".local" / "model"


def quality() -> None:
    """Print precision and recall, by kind."""
    from tests.unit.analysis import labelled

    report = Report(
        "Analysis: what rules find",
        f"{len(labelled.labels())} short documents in English and Russian (minutes, contracts, requirements, "
        f"registers, mail), written and labelled by hand. {len(labelled.HELD_BACK)} of them are free prose and were "
        "never looked at while the rules were changed: their figures tell what to expect, the others' what the rules "
        "were made for. A finding counts when it holds the labelled words, each once; fields are the owner and "
        "date, the likelihood and impact, or the date of what was found.",
        ["kind", "labelled", "precision", "recall", "fields", "labelled, held back", "precision", "recall", "fields"],
    )
    for kind in (*labelled.KINDS, "all"):
        kinds = labelled.KINDS if kind == "all" else [kind]
        cells = []
        for held_back in (False, True):
            score = labelled.total(kinds, held_back=held_back)
            fields = f"{score.fields_right}/{score.fields}" if score.fields else "-"
            cells += [str(score.labelled), f"{score.precision:.2f}", f"{score.recall:.2f}", fields]
        report.row(kind, *cells)
    print(report.markdown())


def recognition() -> None:
    """Print which later statements are held to speak of a promise: by words, by vectors, by both."""
    from almanac.embeddings.local import LocalEmbedder
    from tests.unit.analysis.matters import Links, codes, linked, matters, nearest

    report = Report(
        "Commitments: which statements speak of the same promise",
        "Promises with later statements that say the same in nearly the same words or in others, and with near ones "
        "that do not (another object, another deed), written and labelled by hand. Any statement could be taken for "
        "one of any promise of its set. A part was held back while bounds were chosen. Of Russian no vectors are made: "
        "the model does not read it.",
        ["set", "promises", "statements that fit one", "compared by", "found", "wrong", "precision", "recall"],
    )
    embedder = LocalEmbedder(MODEL_DIR)
    for language in ("en", "ru"):
        for held_back in (False, True):
            given = matters(language, held_back=held_back)
            ways: dict[str, Links] = {"words": linked(given)}
            if language == "en":
                known = asyncio.run(codes(embedder, given))
                ways |= {"vectors alone, cosine 0.80": nearest(given, known, 0.80)}
                ways |= {"words and vectors": linked(given, known)}
            name = f"{language}, held back" if held_back else language
            for way, links in ways.items():
                figures = [str(links.found), str(links.wrong), f"{links.precision:.2f}", f"{links.recall:.2f}"]
                report.row(name, str(len(given)), str(links.labelled), way, *figures)
    print(report.markdown())


def comparing() -> float:
    """Measure what comparing as many statements takes as are compared at once; returns the CPU seconds."""
    from almanac.embeddings.statements import name_of
    from documents.analysis.commitments import derive

    chance = random.Random(7)
    documents = [_promising(number, chance) for number in range(DOCUMENTS)]
    codes = {name_of(text): chance.randbytes(384) for each in documents for text in each.statements.texts()}
    report = Report(
        f"Commitments: {DOCUMENTS * PROMISES_EACH:,} promises",
        f"{DOCUMENTS} documents with {PROMISES_EACH} promises each, all different, in one thread: the most that is "
        "compared for one answer.",
        ["compared by", "CPU seconds"],
    )
    derive(documents[:2], codes)
    slowest = 0.0
    for name, known in (("words", None), ("words and vectors", codes)):
        begun = process_time()
        derive(documents, known)
        slowest = max(slowest, taken := process_time() - begun)
        report.row(name, f"{taken:.1f}")
    print(report.markdown())
    return slowest


def _promising(number: int, chance: random.Random) -> "Told":
    """Return a document of promises of nine words; some words are frequent, most are rare."""
    from documents.analysis.commitments import Told
    from documents.analysis.model import ActionItem, TextSpan
    from documents.analysis.store import Statements

    ranks = range(2000)
    actions = []
    for place in range(PROMISES_EACH):
        words = chance.choices(ranks, weights=[1 / (rank + 5) for rank in ranks], k=9)
        span = TextSpan(page=1, label="page 1", start=place, end=place + 1, quote="x")
        actions.append(ActionItem(what=" ".join(f"w{rank:x}q" for rank in words), spans=[span]))
    return Told(f"doc_{number:04}", "", 1, Statements(actions=actions, written_at=f"2026-{number:04}"))


def speed() -> Report:
    """Measure rules, summary and checks over a long document."""
    from documents.analysis import rules, summary
    from documents.analysis.checks import verified
    from tests.unit.analysis import labelled

    dense = "\n\n".join((labelled.DATA / name).read_text() for name in labelled.names())
    plain = "The quick brown fox jumps over the lazy dog near the old mill, and nobody minds. " * 100
    report = Report(
        f"Analysis: {PAGES:,} pages",
        f"{PAGES:,} pages of {PAGE_CHARACTERS:,} characters, in one thread: rules, summary by words, and every quote "
        "read again. Dense pages are the labelled documents over and over, plain ones say nothing of a project.",
        ["pages", "CPU seconds", "pages a second", "findings", "peak MB of the process"],
    )
    slowest = 0.0
    for name, text in (("plain", plain), ("dense", dense)):
        pages = [_page(number, text) for number in range(1, PAGES + 1)]
        progress(f"analysing {PAGES} {name} pages")
        begun = process_time()
        found = rules.find(pages, None)
        chosen = summary.choose(found.sentences, {})
        findings, dropped = verified(found.findings.model_copy(update={"summary": chosen}), pages)
        taken = process_time() - begun
        assert not dropped
        slowest = max(slowest, taken)
        total = sum(findings.counts().values())
        report.row(name, f"{taken:.1f}", f"{PAGES / taken:,.0f}", f"{total:,}", f"{_peak():,.0f}")
    report.target(f"{PAGES:,} pages within {SECONDS_TARGET:g} s of CPU", f"{slowest:.1f} s", slowest <= SECONDS_TARGET)
    report.target(f"peak memory under {MEGABYTES_TARGET} MB", f"{_peak():,.0f} MB", _peak() <= MEGABYTES_TARGET)
    return report


def _page(number: int, text: str) -> "Page":
    """Return a page that begins where the one before ended."""
    from documents.analysis.units import Page

    start = (number - 1) * PAGE_CHARACTERS % len(text)
    return Page.of(number, f"page {number}", (text + text)[start : start + PAGE_CHARACTERS])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    # First, while the process holds nothing else that would count as its memory.
    measured = speed()
    quality()
    recognition()
    compared = comparing()
    promises = f"{DOCUMENTS * PROMISES_EACH:,} promises compared within {COMPARING_SECONDS:g} s of CPU"
    measured.target(promises, f"{compared:.1f} s", compared <= COMPARING_SECONDS)
    measured.finish()
