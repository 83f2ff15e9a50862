"""How much the rules of the analysis find of what a person finds, and what a thousand pages take."""

import os
import resource
from time import process_time
from typing import TYPE_CHECKING

from bench.report import Report, progress

if TYPE_CHECKING:
    from documents.analysis.units import Page

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
PAGES = 100 if QUICK else 1000
PAGE_CHARACTERS = 3000
SECONDS_TARGET = 30.0
MEGABYTES_TARGET = 300


def quality() -> None:
    """Print precision and recall, by kind."""
    from tests.unit.analysis import labelled

    report = Report(
        "Analysis: what rules find",
        f"{len(labelled.labels())} short documents in English and Russian (minutes, contracts, requirements, "
        f"registers, mail), written and labelled by hand. {len(labelled.HELD_BACK)} of them were written after the "
        "rules and never looked at while these were changed: their figures tell what to expect, the others' what the "
        "rules were made for. A finding counts when it holds the labelled words, each once; fields are the owner and "
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


def speed() -> None:
    """Measure rules, summary and checks over a long document, and finish."""
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
    report.finish()


def _page(number: int, text: str) -> "Page":
    """Return a page that begins where the one before ended."""
    from documents.analysis.units import Page

    start = (number - 1) * PAGE_CHARACTERS % len(text)
    return Page.of(number, f"page {number}", (text + text)[start : start + PAGE_CHARACTERS])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    quality()
    speed()
