"""Which statements are held to speak of the same promise: wrong ones close what is open, so hardly any may be."""

import asyncio
import random

import pytest

from almanac.embeddings.local import LocalEmbedder
from almanac.embeddings.statements import name_of
from documents.analysis.commitments import Told, derive
from documents.analysis.likeness import MatchedBy, Said, same_matter
from documents.analysis.model import ActionItem, TextSpan
from documents.analysis.nearness import Nearness
from documents.analysis.store import Statements
from tests.unit.analysis.matters import codes, linked, matters


@pytest.mark.parametrize("held_back", [False, True])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_words_alone_take_no_near_statement_for_the_same(language: str, held_back: bool) -> None:
    links = linked(matters(language, held_back=held_back))
    assert links.precision >= 0.95 and links.recall >= 0.4, links


@pytest.mark.parametrize("held_back", [False, True])
def test_vectors_find_more_and_take_no_more_for_the_same(local: LocalEmbedder, held_back: bool) -> None:
    given = matters("en", held_back=held_back)
    by_words, by_both = linked(given), linked(given, asyncio.run(codes(local, given)))
    assert by_both.precision >= 0.95, by_both
    assert by_both.recall >= by_words.recall + 0.1, (by_words, by_both)


def test_other_words_for_the_same_count_only_between_statements_that_may_be_of_one_person() -> None:
    promise, worth = Said.of("order new laptops for the interns", "Ann"), {"x": 1.0}
    for who, found in (("Ann Lee", MatchedBy.VECTORS), (None, MatchedBy.VECTORS), ("Bob", None)):
        later = Said.of("Notebooks for the trainees were purchased.", who)
        assert same_matter(promise, later, worth, 0.9) is found


def test_words_in_common_do_not_count_where_the_meaning_is_far() -> None:
    promise, later = Said.of("send the signed contract to Acme"), Said.of("Acme signed.")
    assert same_matter(promise, later, {}, None) is MatchedBy.WORDS
    assert same_matter(promise, later, {}, 0.4) is None


def test_statements_without_vectors_are_compared_by_words_beside_those_with() -> None:
    def told(number: int, *whats: str) -> Told:
        actions = [ActionItem(what=what, spans=[_span(place)]) for place, what in enumerate(whats)]
        return Told(f"doc_{number}", "", 1, Statements(actions=actions, written_at=f"2026-{number}"))

    first, later = ["paint the old fence", "buy new trays"], ["buy new trays", "get the trays", "paint the old fence"]
    known = {name_of("buy new trays"): bytes([100, 1]), name_of("get the trays"): bytes([100, 3])}
    fence, trays = derive([told(1, *first), told(2, *later)], known)
    assert [(each.matched_by, each.statement.span.start) for each in fence.later] == [(MatchedBy.WORDS, 2)]
    assert [each.matched_by for each in trays.later] == [MatchedBy.WORDS, MatchedBy.VECTORS]


def test_the_nearest_are_those_that_a_plain_comparison_finds() -> None:
    chance = random.Random(3)
    texts = [str(number) for number in range(40)]
    known = {name_of(text): chance.randbytes(3) for text in texts[:-1]}
    near = Nearness(texts[:20], texts, known)
    found = near.nearest()
    for text in texts:
        cosines = {place: near.cosine(text, texts[place]) or 0.0 for place in range(20)}
        wanted = {place for place, cosine in cosines.items() if cosine >= 0.8}
        places = [int(place) for place in found.get(text, [])]
        assert set(places) == wanted
        assert [cosines[place] for place in places] == sorted((cosines[place] for place in wanted), reverse=True)
    assert near.cosine(texts[0], texts[-1]) is None


def _span(place: int) -> TextSpan:
    return TextSpan(page=1, label="page 1", start=place, end=place + 1, quote="x")
