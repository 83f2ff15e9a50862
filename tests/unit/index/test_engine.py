"""The engine against the formulas written down plainly, and its ranking."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index.bm25 import K1, B, Words
from almanac.index.engine import POOL, Engine
from almanac.index.fusion import combine
from almanac.index.segments import Model, ModelMismatch, Segment
from almanac.index.sources import SourceRef
from tests.unit.index.histories import MODEL, WORDS, answer, engine_of, info, query, segment, vector_of

documents = st.lists(st.lists(st.sampled_from(WORDS), max_size=12), min_size=1, max_size=12)


def bm25(collection: list[list[str]], terms: list[str]) -> list[float]:
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


@settings(max_examples=200)
@given(documents, st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.data())
def test_word_scores_are_bm25_over_the_visible_rows_alone(
    collection: list[list[str]], terms: list[str], data: st.DataObject
) -> None:
    visible = np.array(data.draw(st.lists(st.booleans(), min_size=len(collection), max_size=len(collection))))
    words, start = Words(), 0
    while start < len(collection):
        size = data.draw(st.integers(1, 5))
        words.add(collection[start : start + size])
        start += size
    shown = [document for document, seen in zip(collection, visible, strict=True) if seen]
    expected = np.zeros(len(collection))
    if any(shown):
        expected[visible] = bm25(shown, terms)
    np.testing.assert_allclose(words.score(terms, visible), expected, rtol=1e-12)


@given(st.lists(st.lists(st.integers(-127, 127), min_size=8, max_size=8), min_size=1, max_size=6))
def test_similarity_is_the_cosine_of_the_codes(codes: list[list[int]]) -> None:
    vectors = np.array(codes, np.int8)
    made = segment([(info(number), [f"text {number}"]) for number in range(len(codes))])
    engine = engine_of(Segment(MODEL, made.sources, made.rows, vectors))
    asked = query("header")
    found = {hit.info.source_id: hit.position.similarity for hit in answer(engine, asked)}
    left = vectors.astype(float)
    norms = np.maximum(np.linalg.norm(left, axis=1), 1)
    expected = left @ vector_of("header").astype(float) / norms / np.linalg.norm(vector_of("header").astype(float))
    for number in range(len(codes)):
        assert found[info(number).source_id] == pytest.approx(expected[number], abs=1e-9)


def test_a_row_without_a_query_word_has_no_word_score_and_the_best_has_all_of_it() -> None:
    words, meaning = combine(np.array([0.0, 2.0, 4.0]), np.array([0.9, 0.1, 0.5]), 0.7)
    assert words == pytest.approx([0, 0.15, 0.3])
    assert meaning == pytest.approx([0.7, 0, 0.35])


def test_without_a_vector_words_carry_the_whole_score() -> None:
    words, meaning = combine(np.array([0.0, 2.0, 4.0]), None, 0.7)
    assert (words.tolist(), meaning.tolist()) == ([0, 0.5, 1], [0, 0, 0])


def test_parts_add_up_to_the_score_which_lies_between_0_and_1() -> None:
    engine = engine_of(segment([(info(number), [WORDS[number % 7], "queue retry"]) for number in range(20)]))
    for hit in answer(engine, query("queue lease")):
        assert 0 <= hit.position.score <= 1
        assert hit.words + hit.meaning == hit.position.score


def test_a_source_is_one_hit_its_best_chunk_and_a_count_of_the_others() -> None:
    engine = engine_of(segment([(info(1), ["queue", "parse header", "retry"]), (info(2), ["commit"])]))
    first, second = answer(engine, query("parse header"))
    assert (first.info.source_id, first.ordinal, first.more) == ("message:001", 1, 2)
    assert (first.start_line, first.end_line) == (11, 20)
    assert second.more == 0


def test_equals_are_in_order_of_their_sources() -> None:
    sources = [(info(number, title="same", path=None), ["queue retry"]) for number in (5, 3, 9, 1)]
    hits = answer(engine_of(segment(sources)), query("queue"))
    assert [hit.info.source_id for hit in hits] == ["message:001", "message:003", "message:005", "message:009"]


def test_the_pool_of_a_large_index_does_not_depend_on_the_order_of_loading() -> None:
    many = [(info(number), [" ".join(WORDS[place] for place in (number % 10, number % 7))]) for number in range(1500)]
    parts = [segment(many[start : start + 300]) for start in range(0, 1500, 300)]
    asked = query("parse queue", meaning_weight=0.1)
    forward, backward = engine_of(*parts), engine_of(*reversed(parts))
    assert answer(forward, asked, POOL) == answer(backward, asked, POOL)
    assert len(answer(forward, asked, POOL * 2)) >= POOL


def test_a_rare_filter_still_fills_the_page() -> None:
    from almanac.index.filters import Filters

    noise = [(info(number, project_id="prj_9"), ["parse header"]) for number in range(100, 1400)]
    rare = [(info(number, project_id="prj_1"), ["lease"]) for number in range(20)]
    engine = engine_of(segment([*rare, *noise]))
    assert len(answer(engine, query("parse header", filters=Filters(projects=frozenset({"prj_1"}))), 20)) == 20


def test_title_path_and_context_are_searched_by_words() -> None:
    made = segment([(info(3, title="src/a/http_parser.py"), ["return None"]), (info(4), ["lease"])])
    made = Segment(MODEL, made.sources, [made.rows[0]._replace(context=("class Reader",)), made.rows[1]], made.vectors)
    for words in ("httpParser", "reader"):
        hit = answer(engine_of(made), query(words, meaning_weight=0))[0]
        assert (hit.info.source_id, hit.context) == ("message:003", "class Reader")


def test_an_empty_index_and_a_query_without_words_have_answers() -> None:
    assert answer(Engine(MODEL), query("parse")) == []
    assert len(answer(engine_of(segment([(info(1), ["parse"])])), query("?!"))) == 1


def test_statistics_forget_what_is_hidden() -> None:
    engine = engine_of(segment([(info(1), ["parse header"]), (info(2), ["parse queue"]), (info(4), ["retry"])]))
    engine.hide([SourceRef(source_id="message:002", version=1)])
    fresh = engine_of(segment([(info(1), ["parse header"]), (info(4), ["retry"])]))
    assert answer(engine, query("parse retry")) == answer(fresh, query("parse retry"))


def test_another_models_vectors_do_not_enter() -> None:
    made = segment([(info(1), ["parse"])])
    other = Segment(Model(name="x", fingerprint="f1", dimensions=8), made.sources, made.rows, made.vectors)
    with pytest.raises(ModelMismatch):
        Engine(MODEL).add("a", other)
