"""Promises, with later statements that speak of the same and near ones that do not: which are held to be the same.

All promises stand in one document and all later statements in another, as if of one project: each statement could be
taken for one of any promise. What is held back was never looked at while bounds were chosen.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from almanac.embeddings.base import Embedder
from almanac.embeddings.statements import name_of
from documents.analysis.commitments import Told, derive
from documents.analysis.model import ActionItem, ProgressNote, TextSpan
from documents.analysis.nearness import Nearness
from documents.analysis.store import Statements
from tests.unit.analysis.labelled import DATA


@dataclass
class Links:
    """How many of the `labelled` pairs were `found`, and how many `wrong` ones."""

    labelled: int
    found: int
    wrong: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.wrong) if self.found + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.labelled


@cache
def matters(language: str, *, held_back: bool) -> Sequence[Mapping[str, Any]]:
    """Return promises with what is said of the `same`, and what of `other` matters."""
    of_all = json.loads((DATA / "matters.json").read_text())
    return [each for each in of_all if each["language"] == language and each["held_back"] is held_back]


async def codes(embedder: Embedder, given: Sequence[Mapping[str, Any]]) -> dict[bytes, bytes]:
    """Return the codes of all statements by their names."""
    texts = [text for each in given for text in (each["promise"], *each["same"], *each["other"])]
    return {
        name_of(text): code.tobytes() for text, code in zip(texts, await embedder.embed_documents(texts), strict=True)
    }


def linked(given: Sequence[Mapping[str, Any]], known: Mapping[bytes, bytes] | None = None) -> Links:
    """Return how the commitments of the two documents fare against the labels."""
    promises = Statements(
        actions=[ActionItem(what=each["promise"], spans=[_span(n)]) for n, each in enumerate(given)],
        written_at="2026-1",
    )
    said = [text for each in given for text in (*each["same"], *each["other"])]
    later = Statements(
        updates=[ProgressNote(what=text, says="done", spans=[_span(n)]) for n, text in enumerate(said)],
        written_at="2026-2",
    )
    of = {each["promise"]: each["same"] for each in given}
    pairs = [
        (each.what, said[one.statement.span.start])
        for each in derive([Told("doc_1", "", 1, promises), Told("doc_2", "", 1, later)], known)
        for one in each.later
    ]
    return _score(given, [text in of[what] for what, text in pairs])


def nearest(given: Sequence[Mapping[str, Any]], known: Mapping[bytes, bytes], least: float) -> Links:
    """Return how the nearest promise alone fares, from a cosine on."""
    promises = [each["promise"] for each in given]
    near = Nearness(promises, (text for each in given for text in (*each["same"], *each["other"])), known)
    right = []
    for each in given:
        for text in (*each["same"], *each["other"]):
            cosines = [near.cosine(promise, text) or 0.0 for promise in promises]
            if max(cosines) >= least:
                is_nearest = promises[cosines.index(max(cosines))] == each["promise"]
                right.append(is_nearest and text in each["same"])
    return _score(given, right)


def _score(given: Sequence[Mapping[str, Any]], right: Sequence[bool]) -> Links:
    return Links(sum(len(each["same"]) for each in given), sum(right), len(right) - sum(right))


def _span(number: int) -> TextSpan:
    return TextSpan(page=1, label="page 1", start=number, end=number + 1, quote="x")
