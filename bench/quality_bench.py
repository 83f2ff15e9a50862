"""How good the answers are: nDCG@10 and Recall@10 of words, meaning, rank fusion and our fusion, for each set.

`--sets DIR` adds sets from elsewhere (repeatable, see `bench.quality_sets.read`), `--only TEXT` chooses by name,
`--vectors FILE` says where vectors are kept from run to run.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from almanac.embeddings.local import LocalEmbedder
from almanac.index.fusion import combine, is_lookup, meaning_weight
from bench.quality_scores import Floats, Scored, Vectors, by_ranks, by_words, ndcg, recall, scored
from bench.quality_sets import QuerySet, generate, read
from bench.report import Report

ROOT = Path(__file__).parents[1]
MODEL_DIR = ROOT / ".local" / "model"
LANGUAGES = LocalEmbedder.languages
RESAMPLED = 2000


@dataclass(frozen=True)
class Options:
    sets: tuple[Path, ...]
    only: str
    vectors: Path

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> "Options":
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--sets", action="append", type=Path, default=[])
        parser.add_argument("--only", default="")
        parser.add_argument("--vectors", type=Path, default=ROOT / ".local" / "bench" / "quality.sqlite")
        given = parser.parse_args(arguments)
        return cls(tuple(given.sets), given.only, given.vectors)


def sets_of(options: Options) -> Iterator[QuerySet]:
    """Yield the generated sets, then those of the given directories."""
    for each in [*generate(), *(each for directory in options.sets for each in read(directory))]:
        if options.only in each.name:
            yield each


def vectors_of(options: Options) -> Vectors:
    subprocess.run([sys.executable, ROOT / "layers" / "model" / "fetch_model.py", MODEL_DIR], check=True, stdout=2)
    return Vectors(LocalEmbedder(MODEL_DIR), options.vectors)


def family(name: str) -> str:
    """Return what a set has in common with others that were made from the same texts: its name's first word.

    A set named `code` is of functions of Python's library, like those that are generated.
    """
    first = name.replace("-", " ").replace("_", " ").replace(",", " ").split()[0]
    return "library" if first == "code" else first


def ours(query: Scored) -> Floats:
    weight = meaning_weight(query.text, LANGUAGES)
    words, meaning = combine(query.words, query.similarity, weight, query.ideal, lookup=is_lookup(query.text))
    return np.asarray(words + meaning)


def halves(query: Scored) -> tuple[float, float]:
    return ndcg(query, by_words(query)), ndcg(query, query.similarity)


def interval(differences: Floats) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean."""
    places = np.random.default_rng(1).integers(0, len(differences), (RESAMPLED, len(differences)))
    low, high = np.percentile(differences[places].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def measure(report: Report, name: str, queries: Sequence[Scored]) -> tuple[Floats, bool]:
    """Add a set's line; return the mean nDCG of all four and whether ours lost to the better half beyond chance."""
    orders = [[order(query) for query in queries] for order in (by_words, lambda q: q.similarity, by_ranks, ours)]
    figures = [[(ndcg(q, s), recall(q, s)) for q, s in zip(queries, order, strict=True)] for order in orders]
    table = np.array(figures)
    means = table.mean(axis=1)
    better = int(means[:2, 0].argmax())
    low, high = interval(table[3, :, 0] - table[better, :, 0])
    report.row(
        name,
        str(len(queries)),
        *(f"{gain:.3f} / {found:.3f}" for gain, found in means),
        f"{means[3, 0] - means[better, 0]:+.3f} ({low:+.3f} to {high:+.3f})",
    )
    return means[:, 0], high < 0


def main() -> None:
    options = Options.parse(sys.argv[1:])
    report = Report(
        "Quality of search",
        "nDCG@10 / Recall@10 on sets made from the texts that are installed beside this Python (bench/quality_sets.py):"
        " BM25 alone, the embedded model alone, their reciprocal-rank fusion, and ours. The last column is what ours"
        " gains over the better half, with its 95 % bootstrap interval.",
        ["set", "queries", "words", "meaning", "rank fusion", "ours", "against the better half"],
    )
    vectors = vectors_of(options)
    outcomes = [measure(report, each.name, list(scored(each, vectors))) for each in sets_of(options)]
    means = np.mean([gains for gains, _ in outcomes], axis=0)
    better = float(np.mean([gains[:2].max() for gains, _ in outcomes]))
    report.row("mean of nDCG", "", *(f"{mean:.3f}" for mean in means), f"{means[3] - better:+.3f}")
    worst = min(float(gains[3] - gains[:2].max()) for gains, _ in outcomes)
    report.target("never behind the better half by more than 0.02", f"{worst:+.3f}", worst >= -0.02)
    report.target("better than the better half on average", f"{means[3]:.3f} and {better:.3f}", means[3] > better)
    report.finish()


if __name__ == "__main__":
    main()
