"""A copy of an index shows what the original shows, now and in the past, whatever comes late to both of them."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.events import BatchOrigin
from almanac.index.encoding import EncodedPart, encode
from almanac.index.manifest import IndexInfo, ManifestState
from almanac.index.merge import merge
from almanac.index.parts import Part, open_part
from almanac.index.segments import Model, Segment
from almanac.index.shards import shard_of
from almanac.index.sources import Kind, SourceRef
from almanac.index.visibility import AsOf, Facts, View, visible_documents
from search.indexes import copying
from search.indexes.opening import Difference, Opened, OpenedShard
from tests.unit.index.histories import MODEL, info, part_of, segment

OTHER = Model(name="test:hash@4", fingerprint="f2", dimensions=4)
NUMBERS, VERSIONS = 6, 4


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """Return one batch of a repository's run: versions of a few sources, and sources that are gone."""
    run = draw(st.integers(1, VERSIONS))
    numbers = draw(st.lists(st.integers(0, NUMBERS - 1), unique=True, max_size=4))
    gone = draw(st.lists(st.integers(0, NUMBERS - 1), unique=True, max_size=2))
    sources = [(_source(number, run), [f"words of {number} in run {run}"] * (number % 3)) for number in numbers]
    made = segment(sources, [SourceRef(source_id=_source(number, run).source_id, version=run) for number in gone])
    origin = BatchOrigin(repository_id="rep_1", run=run, batch=draw(st.integers(1, 3)))
    return Segment(made.model, made.sources, made.rows, made.vectors, made.tombstones, origin)


def _source(number: int, run: int) -> Any:
    return info(number, run, kind=Kind.CODE, source_id=f"code:rep_1:{number}", container_id="rep_1")


def _facts(erased: dict[int, int]) -> Facts:
    return Facts({_source(number, 1).source_id: version for number, version in erased.items()})


def _opened(part: EncodedPart, model: Model) -> Part:
    return open_part(part.body, name=part.sha256, key=part.sha256, model=model)


def _copied(parts: list[Part], facts: Facts, known: list[Part], shards: int = 1) -> list[Part]:
    """Return the parts that a build adds to an index that holds `known`."""
    found = copying.unknown(copying.graves(parts), copying.graves(known))
    made = [_opened(copying.part_of_graves(OTHER, found), OTHER)] if found else []
    held = {claim for part in known for claim in _claims(part, range(part.documents))}
    for shard, batch in copying.batches(parts, facts, held, shards):
        assert {shard_of(each.source_id, shards) for each in batch.infos} == {shard}
        vectors = np.ones((len(batch.rows), OTHER.dimensions), np.int8)
        made.append(_opened(encode(batch.segment(OTHER, vectors)), OTHER))
    return made


def _claims(part: Part, documents: Any) -> Any:
    columns = (part.key_high.tolist(), part.key_low.tolist(), part.versions.tolist())
    rows = list(zip(*columns, strict=True))
    return [rows[document] for document in documents]


def _shows(parts: list[Part], facts: Facts) -> list[tuple[str, int, list[str]]]:
    view = View(parts, facts)
    found = []
    for shown in view.shown:
        for document in visible_documents(shown).tolist():
            source = shown.part.info(document)
            texts = [shown.part.text(row)[0] for row in shown.part.rows_of(document)]
            found.append((source.source_id, source.version, texts))
    return sorted(found)


def _pasts(facts: Facts) -> list[Facts]:
    runs = (AsOf(0, {"rep_1": run}) for run in range(1, VERSIONS + 1))
    return [Facts(facts.erased, facts.drops, facts.floors, as_of) for as_of in runs]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(segments(), max_size=5),
    st.lists(segments(), max_size=2),
    st.lists(segments(), max_size=3),
    st.dictionaries(st.integers(0, NUMBERS - 1), st.integers(1, VERSIONS), max_size=2),
    st.booleans(),
    st.integers(1, 3),
)
def test_a_copy_shows_what_its_original_shows(
    early: list[Segment], both: list[Segment], late: list[Segment], erased: dict[int, int], merged: bool, shards: int
) -> None:
    facts = _facts(erased)
    with TemporaryDirectory() as directory:
        parts = [part_of(each) for each in early]
        past: list[Part] = []
        if merged and parts:
            parts, past = _merged(parts, facts, Path(directory))
        # What came while the index was built is in both of them already.
        original = [*parts, *(part_of(each) for each in both)]
        known = [_with_other_vectors(each) for each in both]
        copy = [*known, *_copied([*original, *past], facts, known, shards)]
        for part in late:
            original.append(part_of(part))
            copy.append(_with_other_vectors(part))
        assert _shows(copy, facts) == _shows(original, facts)
        for then in _pasts(facts):
            assert _shows(copy, then) == _shows([*original, *past], then)


def _merged(parts: list[Part], facts: Facts, directory: Path) -> tuple[list[Part], list[Part]]:
    made = merge(parts, facts, directory, keep_history=True)
    current, history = (
        [open_part(written.path.read_bytes(), name=written.sha256, key="x", model=MODEL)] if written else []
        for written in (made.current, made.history)
    )
    return current, history


def _with_other_vectors(made: Segment) -> Part:
    vectors = np.ones((len(made.rows), OTHER.dimensions), np.int8)
    return _opened(encode(Segment(OTHER, made.sources, made.rows, vectors, made.tombstones, made.origin)), OTHER)


@settings(max_examples=50, deadline=None)
@given(st.lists(segments(), max_size=5))
def test_what_is_copied_once_is_not_copied_again(made: list[Segment]) -> None:
    parts = [part_of(each) for each in made]
    copy = _copied(parts, Facts(), [])
    assert _copied(parts, Facts(), copy) == []


def test_an_erased_source_is_not_copied_and_its_grave_is() -> None:
    grave = Segment(MODEL, [], [], np.empty((0, 8), np.int8), erased=[SourceRef(source_id="code:rep_1:0", version=2)])
    parts = [part_of(segment([(_source(0, 1), ["secret"])])), part_of(grave)]
    copy = _copied(parts, Facts(), [])
    assert [part.documents for part in copy] == [0]
    late = _with_other_vectors(segment([(_source(0, 2), ["secret"])]))
    assert _shows([*copy, late], Facts()) == []


def test_of_an_erased_source_the_newest_grave_says_all() -> None:
    key = (1, 2)
    known: set[copying.Grave] = {(*key, 5, None, 1)}
    assert copying.unknown({(*key, 3, None, 1)}, known) == set()
    assert copying.unknown({(*key, 6, None, 1)}, known) == {(*key, 6, None, 1)}


def test_batches_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(copying, "ROWS", 4)
    parts = [part_of(segment([(_source(number, 1), ["a", "b"]) for number in range(5)]))]
    sizes = [len(batch.rows) for _, batch in copying.batches(parts, Facts(), set(), 1)]
    assert sizes == [4, 4, 2]


def test_two_indexes_are_compared_by_what_they_show() -> None:
    one = [part_of(segment([(_source(number, 1), ["a"]) for number in (0, 1)]))]
    two = [part_of(segment([(_source(number, 1), ["a"]) for number in (1, 2, 3)]))]
    found = Difference.between(_index(one), _index(two))
    assert (found.total, found.missing, found.unexpected) == (2, 1, 2)


def _index(parts: list[Part]) -> Opened:
    shard = OpenedShard(parts, [], View(parts, Facts()))
    return Opened(IndexInfo("x", "test:hash"), ManifestState(), [shard])
