"""Learn the coefficients of `almanac.index.fusion` from sets of queries: `python -m bench.quality_tune --sets DIR`.

For each query nDCG@10 is known at 21 shares of meaning. Gradient ascent moves the coefficients towards shares that do
well on average, four times as eagerly on sets that do worse than their better half. Families of sets (the name up to
its first comma, space or dash) weigh the same; queries in a language that the model does not know are left out. With
`--check` each family's figures come from coefficients that were learned without it.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from almanac.index.fusion import SCORES, TEXT, combine, is_lookup, knows, score_traits, text_traits
from bench.quality_bench import Options, family, halves, sets_of, vectors_of
from bench.quality_scores import Scored, ndcg, scored

Floats = NDArray[np.float64]

LANGUAGES = frozenset({"en"})
SHARES = np.linspace(0, 1, 21)
_STEPS, _RATE, _DECAY, _EAGERNESS, _MARGIN = 200, 0.05, 1e-3, 6.0, 0.005
_SMOOTHING = np.array([1, 2, 3, 4, 3, 2, 1]) / 16


_CHECKED_ONLY = frozenset({"mixed", "fifty", "tenant"})
"""These ask again what other families ask."""


@dataclass(frozen=True)
class Learnable:
    """A set: the traits of its queries, their nDCG at each share, and that of the set's better half."""

    name: str
    traits: Floats
    gains: Floats
    better: float


def learnable(name: str, queries: Iterable[Scored]) -> Learnable | None:
    known = [query for query in queries if knows(query.text, LANGUAGES)]
    if not known:
        return None
    gains = [
        [ndcg(query, np.add(*combine(query.words, query.similarity, share))) for share in SHARES] for query in known
    ]
    better = max(np.mean([halves(query)[side] for query in known]) for side in (0, 1))
    return Learnable(name, np.array([traits_of(query) for query in known]), np.array(gains), float(better))


def traits_of(query: Scored) -> list[float]:
    lookup = is_lookup(query.text)
    of_scores = score_traits(query.words, query.similarity, query.ideal, lookup=lookup)
    centred = [of_scores[name] - middle for name, (_, middle) in SCORES.items()]
    return [*text_traits(query.text, LANGUAGES).values(), *centred]


def learn(sets: Sequence[Learnable]) -> Floats:
    """Return the coefficients of `TEXT` and `SCORES`, in their order."""
    traits = np.concatenate([each.traits for each in sets])
    gains = np.concatenate([each.gains for each in sets])
    scale = traits.std(axis=0)
    scale[scale == 0] = 1
    traits = traits / scale
    padded = np.pad(gains, ((0, 0), (3, 3)), mode="edge")
    gains = sum(part * padded[:, n : n + len(SHARES)] for n, part in enumerate(_SMOOTHING))
    counts = np.array([len(each.gains) for each in sets])
    place = np.repeat(np.arange(len(sets)), counts)
    families = [family(each.name) for each in sets]
    fair = np.array([families.count(each) ** -0.5 for each in families])
    better = np.array([each.better for each in sets])
    coefficients, first, second = np.zeros((3, traits.shape[1]))
    eager = np.ones(len(sets))
    for step in range(1, _STEPS + 1):
        share = 1 / (1 + np.exp(-traits @ coefficients))
        gain, slope = _read(gains, share)
        if step % 20 == 0:
            behind = np.clip((better + _MARGIN - np.bincount(place, gain) / counts) / 0.02, 0, 1)
            eager = 0.5 * eager + 0.5 * (1 + _EAGERNESS * behind)
        weight = (fair * eager / counts)[place]
        pull = traits.T @ (weight / weight.sum() * slope * share * (1 - share)) - _DECAY * coefficients
        first, second = 0.9 * first + 0.1 * pull, 0.99 * second + 0.01 * pull**2
        step_size = np.sqrt(second / (1 - 0.99**step)) + 1e-8
        coefficients = coefficients + _RATE * first / (1 - 0.9**step) / step_size
    return np.asarray(coefficients / scale)


def gain_of(coefficients: Floats, one: Learnable) -> float:
    return float(_read(one.gains, 1 / (1 + np.exp(-one.traits @ coefficients)))[0].mean())


def _read(gains: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Return each query's gain at its share, between the known ones, and how it rises there."""
    position = share * (len(SHARES) - 1)
    left = np.minimum(position.astype(int), len(SHARES) - 2)
    rows = np.arange(len(gains))
    low, high = gains[rows, left], gains[rows, left + 1]
    return low + (position - left) * (high - low), (high - low) * (len(SHARES) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options, rest = parser.parse_known_args()
    given = Options.parse(rest)
    vectors = vectors_of(given)
    made = [learnable(each.name, scored(each, vectors)) for each in sets_of(given)]
    sets = [each for each in made if each is not None and family(each.name) not in _CHECKED_ONLY]
    if options.check:
        for held in dict.fromkeys(family(each.name) for each in sets):
            learned = learn([each for each in sets if family(each.name) != held])
            for each in (each for each in sets if family(each.name) == held):
                gain = gain_of(learned, each)
                print(f"{each.name}: {gain:.3f}, better half {each.better:.3f}, {gain - each.better:+.3f}", flush=True)
    for name, value in zip([*TEXT, *SCORES], learn(sets), strict=True):
        print(f"{name}: {value:.2f}")


if __name__ == "__main__":
    main()
