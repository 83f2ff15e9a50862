"""Which side leads: meaning where the model knows the language and its closest rows stand out, words elsewhere."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from almanac.index.fusion import (
    FOREIGN_LANGUAGE_WEIGHT,
    FOREIGN_SCRIPT_WEIGHT,
    combine,
    is_lookup,
    knows,
    meaning_weight,
    share,
)

ENGLISH = frozenset({"en"})
IDEAL = 20.0
NAN = float("nan")

Floats = NDArray[np.float64]


@st.composite
def candidates(draw: st.DrawFn, *, vectors: bool = False) -> tuple[Floats, Floats]:
    """Draw word scores and similarities of some rows; unless `vectors`, some have none."""
    size = draw(st.integers(1, 150))
    words = draw(arrays(np.float64, size, elements=st.floats(0, 20, width=32)))
    cosine = st.floats(-1, 1, width=32)
    similarity = draw(arrays(np.float64, size, elements=cosine if vectors else cosine | st.just(NAN)))
    return words, similarity


def total(parts: tuple[Floats, Floats]) -> Floats:
    return np.asarray(parts[0] + parts[1])


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("Где разбирается заголовок", FOREIGN_SCRIPT_WEIGHT),
        ("ヘッダーの解析", FOREIGN_SCRIPT_WEIGHT),
        ("Wie viele Spieler hat das Team und wer ist der Trainer?", FOREIGN_LANGUAGE_WEIGHT),
        ("¿Cuál es el nombre de la ciudad?", FOREIGN_LANGUAGE_WEIGHT),
        ("Quelle est la capitale du pays ?", FOREIGN_LANGUAGE_WEIGHT),
    ],
)
def test_meaning_follows_where_an_english_model_does_not_know_the_language(text: str, weight: float) -> None:
    assert meaning_weight(text, ENGLISH) == weight
    assert not knows(text, ENGLISH)


@pytest.mark.parametrize(
    "text",
    [
        "where is the header parsed",
        "retry policy",
        "def der der.decode()",
        "SELECT * FROM los WHERE una = 1",
        "404",
        "",
    ],
)
def test_code_numbers_and_english_are_not_taken_for_a_foreign_language(text: str) -> None:
    assert knows(text, ENGLISH)


@pytest.mark.parametrize("languages", [None, frozenset({"en", "ru", "fr"})])
@pytest.mark.parametrize("text", ["Где разбирается этот заголовок", "Quelle est la capitale du pays ?"])
def test_a_sentence_in_a_language_that_the_model_knows_asks_for_meaning(
    text: str, languages: frozenset[str] | None
) -> None:
    assert knows(text, languages)
    assert meaning_weight(text, languages) > 0.5


def test_a_sentence_asks_for_more_meaning_than_keywords_and_a_code_for_least() -> None:
    queries = ["how is the header of a request parsed", "request header parsing", "E1042"]
    weights = [meaning_weight(text, ENGLISH) for text in queries]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == len(weights)


@pytest.mark.parametrize(
    ("text", "lookup"),
    [("parseHTTPHeader", True), ("os.path.join", True), ("retry policy", False), ("заголовок", False), ("", False)],
)
def test_one_word_or_identifier_is_a_lookup(text: str, lookup: bool) -> None:
    assert is_lookup(text) is lookup


def test_a_row_with_all_of_the_querys_words_moves_the_weight_to_words() -> None:
    similarity = np.linspace(0.5, 0.7, 40)
    little, much = np.full(40, 0.1 * IDEAL), np.full(40, 0.9 * IDEAL)
    assert share(much, similarity, 0.5, IDEAL) < share(little, similarity, 0.5, IDEAL)
    assert share(much, similarity, 0.5, IDEAL, lookup=True) == share(little, similarity, 0.5, IDEAL, lookup=True)


def test_a_row_that_is_much_closer_than_the_hundredth_moves_the_weight_to_meaning() -> None:
    words = np.full(200, 0.4 * IDEAL)
    assert share(words, np.linspace(0.3, 0.9, 200), 0.5, IDEAL) > share(words, np.linspace(0.68, 0.7, 200), 0.5, IDEAL)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_share_of_nothing_or_all_stays(weight: float) -> None:
    assert share(np.array([1.0, 2.0]), np.array([0.3, 0.9]), weight, IDEAL) == weight


def test_without_an_ideal_the_weight_is_as_given() -> None:
    words, meaning = combine(np.array([0.0, 2.0, 4.0]), np.array([0.9, 0.1, 0.5]), 0.7)
    assert words == pytest.approx([0, 0.15, 0.3])
    assert meaning == pytest.approx([0.7, 0, 0.35])


def test_a_row_without_a_vector_leads_where_its_words_are_best() -> None:
    words, meaning = combine(np.array([4.0, 3.0, 0.0]), np.array([NAN, 0.5, 0.9]), 0.7, IDEAL)
    assert (words[0], meaning[0]) == (1.0, 0.0)
    assert total((words, meaning)).argmax() == 0


def test_no_candidates_have_no_scores() -> None:
    words, meaning = combine(np.empty(0), np.empty(0), 0.7, IDEAL)
    assert len(words) == len(meaning) == 0


@given(candidates(), st.floats(0, 1), st.floats(0, 50), st.booleans())
def test_scores_lie_between_0_and_1_and_are_numbers(
    found: tuple[Floats, Floats], weight: float, ideal: float, lookup: bool
) -> None:
    score = total(combine(*found, weight, ideal, lookup=lookup))
    assert ((score >= 0) & (score <= 1 + 1e-9)).all()


@given(candidates(vectors=True), st.floats(0, 1))
def test_a_row_that_is_as_good_by_words_and_by_similarity_scores_as_high(
    found: tuple[Floats, Floats], weight: float
) -> None:
    words, similarity = found
    score = total(combine(words, similarity, weight, IDEAL))
    as_good = (words[:, None] >= words[None, :]) & (similarity[:, None] >= similarity[None, :])
    assert (score[:, None] >= score[None, :] - 1e-9)[as_good].all()


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(found: tuple[Floats, Floats], random: Random) -> None:
    words, similarity = found
    order = list(range(len(words)))
    random.shuffle(order)
    straight = total(combine(words, similarity, 0.5, IDEAL))
    assert (total(combine(words[order], similarity[order], 0.5, IDEAL)) == straight[order]).all()


@given(candidates())
def test_the_scale_of_word_scores_does_not_matter(found: tuple[Floats, Floats]) -> None:
    words, similarity = found
    doubled = total(combine(2 * words, similarity, 0.5, 2 * IDEAL))
    assert (doubled == total(combine(words, similarity, 0.5, IDEAL))).all()
