"""Which side leads: meaning where the model knows the query's language, words elsewhere."""

import pytest

from almanac.index.fusion import (
    FOREIGN_LANGUAGE_WEIGHT,
    FOREIGN_SCRIPT_WEIGHT,
    MEANING_WEIGHT,
    meaning_weight,
)

ENGLISH = frozenset({"en"})


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("where is the header parsed", MEANING_WEIGHT),
        ("parseHTTPHeader", MEANING_WEIGHT),
        ("retry policy", MEANING_WEIGHT),
        ("def der der.decode()", MEANING_WEIGHT),
        ("SELECT * FROM los WHERE una = 1", MEANING_WEIGHT),
        ("404", MEANING_WEIGHT),
        ("Где разбирается заголовок", FOREIGN_SCRIPT_WEIGHT),
        ("ヘッダーの解析", FOREIGN_SCRIPT_WEIGHT),
        ("где parse", FOREIGN_SCRIPT_WEIGHT + 0.6),
        ("Wie viele Spieler hat das Team und wer ist der Trainer?", FOREIGN_LANGUAGE_WEIGHT),
        ("¿Cuál es el nombre de la ciudad?", FOREIGN_LANGUAGE_WEIGHT),
        ("Quelle est la capitale du pays ?", FOREIGN_LANGUAGE_WEIGHT),
    ],
)
def test_meaning_follows_where_an_english_model_does_not_know_the_language(text: str, weight: float) -> None:
    assert meaning_weight(text, ENGLISH) == pytest.approx(weight)


def test_a_model_of_all_languages_or_of_the_querys_language_leads() -> None:
    for known in (None, frozenset({"en", "ru"})):
        assert meaning_weight("Где разбирается заголовок", known) == MEANING_WEIGHT
    assert meaning_weight("Quelle est la capitale ?", frozenset({"en", "fr"})) == MEANING_WEIGHT
