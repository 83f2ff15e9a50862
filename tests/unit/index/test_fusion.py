"""Which side leads: meaning where the model knows the query's language, words elsewhere."""

import numpy as np
import pytest

from almanac.index.fusion import (
    FOREIGN_LANGUAGE_WEIGHT,
    FOREIGN_SCRIPT_WEIGHT,
    MEANING_WEIGHT,
    combine,
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


def test_a_row_without_a_vector_is_ranked_by_its_words_and_spoils_no_other() -> None:
    words, meaning = np.array([1.0, 2.0, 0.0]), np.array([np.nan, 0.2, 0.6])
    by_words, by_meaning = combine(words, meaning, 0.7)
    assert by_meaning.tolist() == [0.0, 0.0, 0.7]
    assert by_words[0] == pytest.approx(0.15)
