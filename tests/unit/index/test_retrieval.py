"""Retrieval against the formulas written down plainly, and its ranking."""

import dataclasses
import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index import bm25, pool, selection
from almanac.index.bm25 import K1, B
from almanac.index.encoding import encode
from almanac.index.fusion import combine
from almanac.index.parts import open_part
from almanac.index.pool import POOL
from almanac.index.retrieval import Query, search, statistics
from almanac.index.segments import Model, ModelMismatch, Segment
from almanac.index.visibility import Facts, View
from tests.unit.index.histories import MODEL, WORDS, answer, info, part_of, query, segment, vector_of, view_of

documents = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=12)


def scores_by_formula(collection: list[list[str]], terms: list[str]) -> list[float]:
    """Score as the formula reads, over the whole collection."""
    average = sum(map(len, collection)) / len(collection)
    scores = []
    for document in collection:
        counts, score = Counter(document), 0.0
        for term in dict.fromkeys(terms):
            having = sum(term in other for other in collection)
            idf = math.log(1 + (len(collection) - having + 0.5) / (having + 0.5))
            if counts[term]:
                damping = K1 * (1 - B + B * len(document) / average)
                score += idf * counts[term] * (K1 + 1) / (counts[term] + damping)
        scores.append(score)
    return scores


@settings(max_examples=200, deadline=None)
@given(documents, st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.data())
def test_word_scores_are_bm25_over_the_visible_rows_alone(
    collection: list[list[str]], words: list[str], data: st.DataObject
) -> None:
    visible = data.draw(st.lists(st.booleans(), min_size=len(collection), max_size=len(collection)))
    sources = [(info(n, title="", path=None), [" ".join(words)]) for n, words in enumerate(collection)]
    size = data.draw(st.integers(1, 5))
    parts = [segment(sources[start : start + size]) for start in range(0, len(sources), size)]
    erased = {info(n).source_id: 1 for n, seen in enumerate(visible) if not seen}
    view = view_of(*parts, facts=Facts(erased=erased))
    shown = [document for document, seen in zip(collection, visible, strict=True) if seen]
    expected = [score for score in (scores_by_formula(shown, words) if any(shown) else []) if score]
    asked = Query(" ".join(words), None, 0)
    found = sorted(hit.parts.bm25 for hit in search(view, asked, 100))
    np.testing.assert_allclose(found, sorted(expected), rtol=1e-12)
    assert statistics(view, asked).length == sum(map(len, shown))


@given(st.lists(st.lists(st.integers(-127, 127), min_size=8, max_size=8), min_size=1, max_size=6))
def test_similarity_is_the_cosine_of_the_codes(codes: list[list[int]]) -> None:
    vectors = np.array(codes, np.int8)
    made = segment([(info(number), [f"text {number}"]) for number in range(len(codes))])
    view = view_of(Segment(MODEL, made.sources, made.rows, vectors))
    asked = query("header")
    found = {hit.info.source_id: hit.position.similarity for hit in answer(view, asked)}
    left = vectors.astype(float)
    norms = np.maximum(np.linalg.norm(left, axis=1), 1)
    expected = left @ vector_of("header").astype(float) / norms / np.linalg.norm(vector_of("header").astype(float))
    for number in range(len(codes)):
        # A vector of zeros says that a row is not embedded.
        similarity = expected[number] if vectors[number].any() else 0
        assert found.get(info(number).source_id, 0) == pytest.approx(similarity, abs=1e-6)


@given(st.lists(st.integers(-16_256, 16_256), min_size=8, max_size=8).filter(any))
def test_a_vector_of_16_bits_is_compared_with_all_of_them(fine: list[int]) -> None:
    view = view_of(segment([(info(number), [WORDS[number]]) for number in range(6)]))
    asked = Query("nothing", np.array(fine, np.int16), 1.0)
    for hit in search(view, asked, 10):
        row = vector_of(hit.text).astype(float)
        expected = row @ np.array(fine, float) / np.linalg.norm(row) / np.linalg.norm(fine)
        assert hit.parts.cosine == pytest.approx(expected, abs=1e-6)


def test_a_row_without_a_query_word_has_no_word_score_and_the_best_has_all_of_it() -> None:
    words, meaning = combine(np.array([0.0, 2.0, 4.0]), np.array([0.9, 0.1, 0.5]), 0.7)
    assert words == pytest.approx([0, 0.15, 0.3])
    assert meaning == pytest.approx([0.7, 0, 0.35])


def test_without_a_vector_words_carry_the_whole_score() -> None:
    words, meaning = combine(np.array([0.0, 2.0, 4.0]), None, 0.7)
    assert (words.tolist(), meaning.tolist()) == ([0, 0.5, 1], [0, 0, 0])


def test_parts_add_up_to_the_score_which_lies_between_0_and_1() -> None:
    view = view_of(segment([(info(number), [WORDS[number % 7], "queue retry"]) for number in range(20)]))
    for hit in answer(view, query("queue lease")):
        assert 0 <= hit.position.score <= 1
        assert hit.words + hit.meaning == hit.position.score


def test_a_source_is_one_hit_its_best_chunk_and_a_count_of_the_others() -> None:
    view = view_of(segment([(info(1), ["queue", "parse header", "retry"]), (info(2), ["commit"])]))
    first, second = answer(view, query("parse header"))
    assert (first.info.source_id, first.ordinal, first.more) == ("message:001", 1, 2)
    assert (first.start_line, first.end_line) == (11, 20)
    assert second.more == 0


def test_equals_have_an_order_that_does_not_depend_on_loading() -> None:
    sources = [(info(number, title="same", path=None), ["queue retry"]) for number in (5, 3, 9, 1)]
    together, apart = view_of(segment(sources)), view_of(*(segment([source]) for source in reversed(sources)))
    assert len(answer(together, query("queue"))) == 4
    assert answer(together, query("queue")) == answer(apart, query("queue"))


def test_the_pool_of_a_large_index_does_not_depend_on_the_order_of_loading() -> None:
    many = [(info(number), [" ".join(WORDS[place] for place in (number % 10, number % 7))]) for number in range(1500)]
    parts = [segment(many[start : start + 300]) for start in range(0, 1500, 300)]
    asked = query("parse queue", meaning_weight=0.1)
    forward, backward = view_of(*parts), view_of(*reversed(parts))
    assert answer(forward, asked, POOL) == answer(backward, asked, POOL)
    assert len(answer(forward, asked, POOL * 2)) >= POOL


def test_a_rare_filter_still_fills_the_page() -> None:
    from almanac.index.filters import Filters

    noise = [(info(number, project_id="prj_9"), ["parse header"]) for number in range(100, 1400)]
    rare = [(info(number, project_id="prj_1"), ["lease"]) for number in range(20)]
    view = view_of(segment([*rare, *noise]))
    assert len(answer(view, query("parse header", filters=Filters(projects=frozenset({"prj_1"}))), 20)) == 20


def test_title_path_and_context_are_searched_by_words() -> None:
    made = segment([(info(3, title="src/a/http_parser.py"), ["return None"]), (info(4), ["lease"])])
    made = Segment(MODEL, made.sources, [made.rows[0]._replace(context=("class Reader",)), made.rows[1]], made.vectors)
    for words in ("httpParser", "reader"):
        hit = answer(view_of(made), query(words, meaning_weight=0))[0]
        assert (hit.info.source_id, hit.context) == ("message:003", "class Reader")


def test_an_empty_index_and_a_query_without_words_have_answers() -> None:
    assert answer(View([], Facts()), query("parse")) == []
    assert len(answer(view_of(segment([(info(1), ["parse"])])), query("?!"))) == 1


def test_statistics_forget_what_is_hidden() -> None:
    parts = segment([(info(1), ["parse header"]), (info(2), ["parse queue"]), (info(4), ["retry"])])
    view = view_of(parts, facts=Facts(erased={"message:002": 1}))
    fresh = view_of(segment([(info(1), ["parse header"]), (info(4), ["retry"])]))
    assert answer(view, query("parse retry")) == answer(fresh, query("parse retry"))


def test_another_models_vectors_do_not_enter() -> None:
    name, body = encode(segment([(info(1), ["parse"])]))
    with pytest.raises(ModelMismatch):
        open_part(body, name=name, key="k", model=Model(name="x", fingerprint="f1", dimensions=8))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.sampled_from(WORDS), min_size=1, max_size=6, unique=True))
def test_leaving_frequent_terms_for_last_changes_no_answer(seed: int, words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25, "_FREQUENT", 3)
        patch.setattr(pool, "POOL", 5)
        choose = random.Random(seed)
        # The first words are frequent and the last are rare.
        sources = [
            (info(n), [" ".join(choose.choices(WORDS, weights=range(10, 0, -1), k=choose.randint(1, 9)))])
            for n in range(80)
        ]
        view, asked = view_of(segment(sources[:50]), segment(sources[50:])), Query(" ".join(words), None, 0)
        assert search(view, asked, 5) == search(view, asked, 5, exhaustive=True)


def test_a_row_that_is_not_embedded_yet_is_found_by_its_words() -> None:
    fresh = segment([(info(7, kind="message"), ["lease of the shard"])])
    parts = [part_of(segment([(info(n), ["parse header"]) for n in range(5)]))]
    parts.append(part_of(Segment(MODEL, fresh.sources, fresh.rows, None)))
    view = View(parts, Facts())
    first = answer(view, query("lease shard"))[0]
    assert (first.info.source_id, first.parts.embedded, first.parts.cosine) == ("message:007", False, None)
    assert view.unembedded == 1


def test_an_explanation_adds_up() -> None:
    view = view_of(segment([(info(n), [f"{WORDS[n % 4]} queue lease"]) for n in range(12)]))
    asked = dataclasses.replace(query("parse queue lease"), explain=True)
    for hit in answer(view, asked):
        assert sum(hit.parts.terms.values()) == pytest.approx(hit.parts.bm25)
        assert hit.parts.cosine == hit.position.similarity


class TestPhrases:
    rows = [
        (info(1), ["the header of a queue"]),
        (info(2), ["a queue of header lines, parseHeaderLine"]),
        (info(4), ["nothing of the kind"]),
    ]

    def found(self, phrases: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> set[str]:
        asked = dataclasses.replace(query("of"), phrases=phrases, without=without)
        return {hit.info.source_id[-1] for hit in search(view_of(segment(self.rows)), asked, 10)}

    def test_a_phrase_must_stand_word_by_word(self) -> None:
        assert self.found(phrases=("queue of headers",)) == {"2"}
        assert self.found(phrases=("header", "queue")) == {"1", "2"}
        assert self.found(phrases=("parse_header_line",)) == {"2"}

    def test_what_is_unwanted_is_left_out(self) -> None:
        assert self.found(without=("header",)) == {"4"}
        assert self.found(without=("header of a queue",)) == {"2", "4"}
        assert self.found(phrases=("header",), without=("lines",)) == {"1"}

    def test_phrases_of_frequent_words_are_looked_up_where_rows_rank(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(selection, "PHRASE_ROWS", 0)
        self.test_a_phrase_must_stand_word_by_word()
        self.test_what_is_unwanted_is_left_out()
