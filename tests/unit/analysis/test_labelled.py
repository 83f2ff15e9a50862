"""How much the rules find of what a person finds: figures may grow, and a change that loses some must say so."""

import pytest

from tests.unit.analysis import labelled
from tests.unit.analysis.labelled import HELD_BACK, KINDS, total


def test_every_document_has_labels_for_every_kind() -> None:
    files = {path.name for path in labelled.DATA.glob("*.md")}
    assert files == set(labelled.labels()) and files > HELD_BACK
    assert all(set(of) == set(KINDS) for of in labelled.labels().values())


@pytest.mark.parametrize("kind", KINDS)
def test_rules_find_what_they_were_made_for(kind: str) -> None:
    score = total([kind], held_back=False)
    assert score.precision >= 0.9 and score.recall >= 0.85, score
    assert score.fields_share >= 0.9, score


def test_most_of_what_is_found_in_other_documents_is_right_and_half_of_what_they_say_is_found() -> None:
    score = total(KINDS, held_back=True)
    assert score.precision >= 0.75 and score.recall >= 0.5, score
