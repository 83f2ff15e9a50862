"""How much the rules find of what a person finds: figures may grow, and a change that loses some must say so."""

import pytest

from tests.unit.analysis import labelled
from tests.unit.analysis.labelled import HELD_BACK, KINDS, Score


def total(kind: str, *, held_back: bool) -> Score:
    score = Score()
    for name in labelled.names():
        if (name in HELD_BACK) is held_back:
            score.add(labelled.score(name, kind))
    return score


def test_every_document_has_labels_for_every_kind() -> None:
    files = {path.name for path in labelled.DATA.glob("*.md")}
    assert files == set(labelled.labels()) and files > HELD_BACK
    assert all(set(of) == set(KINDS) for of in labelled.labels().values())


@pytest.mark.parametrize("kind", KINDS)
def test_rules_find_what_forms_and_lists_say(kind: str) -> None:
    score = total(kind, held_back=False)
    assert score.precision >= 0.9 and score.recall >= 0.9, score
    assert score.fields_share >= 0.9, score


@pytest.mark.parametrize("kind", KINDS)
def test_of_documents_that_rules_were_not_made_for_little_is_found_wrongly(kind: str) -> None:
    score = total(kind, held_back=True)
    assert score.precision >= 0.6, score
    assert score.fields_share >= 0.8, score
