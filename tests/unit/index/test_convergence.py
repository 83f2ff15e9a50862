"""After any history, merges included, the index answers like one built at once from what is visible, now and then."""

import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.events import BatchOrigin
from almanac.index.filters import microseconds
from almanac.index.merge import Written, holds_deleted, merge, merge_history
from almanac.index.parts import Part, open_part
from almanac.index.retrieval import search
from almanac.index.segments import Segment
from almanac.index.sources import Kind, SourceInfo, SourceRef
from almanac.index.visibility import AsOf, Facts, View
from tests.unit.index.histories import MODEL, WORDS, answer, info, part_of, query, segment, view_of

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
versions = st.integers(1, 4)
REPOSITORY = "rep_0"
START = datetime(2026, 1, 1, tzinfo=UTC)

Source = tuple[SourceInfo, list[str]]


@dataclass
class History:
    """What was written, in the order in which a reader learns of it; None is a merge of what there is."""

    steps: list[Segment | SourceRef | str | None] = field(default_factory=list)
    floor: int = 0

    @property
    def erased(self) -> dict[str, int]:
        refs = [step for step in self.steps if isinstance(step, SourceRef)]
        return {ref.source_id: max(r.version for r in refs if r.source_id == ref.source_id) for ref in refs}

    @property
    def facts(self) -> Facts:
        drops = frozenset(step for step in self.steps if isinstance(step, str))
        return Facts(self.erased, drops, {REPOSITORY: self.floor} if self.floor else {})


def source_of(number: int, version: int) -> SourceInfo:
    """Odd sources are messages, even ones files of a repository, whose versions are its runs."""
    if number % 2:
        written = START + timedelta(hours=version)
        return info(number, version, kind=Kind.MESSAGE, container_id=f"chk_{number % 3}", written_at=written)
    return info(number, version, kind=Kind.CODE, container_id=REPOSITORY)


@st.composite
def histories(draw: st.DrawFn) -> History:
    chunks: dict[SourceRef, list[str]] = {}

    def source() -> Source:
        made = source_of(draw(st.integers(0, 7)), draw(versions))
        # A version of a source is one text, whoever writes it and however often, unless one takes it back.
        given = chunks.setdefault(made.ref, draw(st.lists(texts, max_size=3)))
        return made, [] if draw(st.integers(0, 5)) == 5 else given

    def appended() -> Segment:
        by_id = {made[0].source_id: made for made in (source() for _ in range(draw(st.integers(0, 4))))}
        gone = [source_of(2 * draw(st.integers(0, 3)), draw(versions)).ref for _ in range(draw(st.integers(0, 2)))]
        made = segment(list(by_id.values()), gone)
        return replace(made, origin=BatchOrigin(repository_id=REPOSITORY, run=1, batch=1))

    steps: list[Segment | SourceRef | str | None] = []
    for kind in draw(st.lists(st.sampled_from("aaaaaatdmm"), min_size=1, max_size=12)):
        if kind == "a":
            steps.append(appended())
        elif kind == "t":
            steps.append(source_of(2 * draw(st.integers(0, 3)) + 1, draw(versions)).ref)
        else:
            steps.append(
                draw(st.sampled_from(["prj_1", "chk_0", "chk_1", "chk_2", "doc_1", "doc_3"])) if kind == "d" else None
            )
    repeated = draw(st.lists(st.sampled_from(steps), max_size=4))
    return History(draw(st.permutations(steps + repeated)), draw(st.sampled_from([0, 0, 0, 2, 3])))


@dataclass
class Index:
    """An index that learns a history step by step and merges where it says so."""

    directory: Path
    known: History = field(default_factory=History)
    log: list[Part] = field(default_factory=list)
    current: list[Part] = field(default_factory=list)
    past: list[Part] = field(default_factory=list)
    folded: set[str] = field(default_factory=set)

    def learn(self, history: History) -> "Index":
        for step in history.steps:
            if isinstance(step, Segment):
                self.log.append(part_of(step))
            elif step is None:
                self.merge(history.floor)
            else:
                self.known.steps.append(step)
        self.known.floor = history.floor
        return self

    def merge(self, floor: int) -> None:
        facts = History(self.known.steps, floor).facts
        if not self.current and not self.log:
            return
        merged = merge([*self.current, *self.log], facts, self.directory)
        self.current, self.log = self.opened(merged.current), []
        history = [*self.past, *self.opened(merged.history)]
        if len(history) > 2 or any(holds_deleted(part, facts) for part in history):
            history = self.opened(merge_history(history, facts, self.directory)) if history else []
        self.past = history
        # The snapshot knows now what was erased.
        self.known.steps = [step for step in self.known.steps if isinstance(step, str)]

    def opened(self, written: Written | None) -> list[Part]:
        if written is None:
            return []
        body = written.path.read_bytes()
        return [open_part(body, name=written.sha256, key="k", model=MODEL)]

    def view(self, as_of: AsOf | None = None) -> View:
        if as_of is None:
            return View([*self.current, *self.log], self.known.facts)
        return View([*self.current, *self.log, *self.past], replace(self.known.facts, as_of=as_of))


def rebuilt(history: History, as_of: AsOf | None = None) -> View:
    """Build from the visible sources alone, as the rule says them, in one segment."""
    sources: dict[SourceRef, Source] = {}
    dead: set[SourceRef] = set()
    for step in history.steps:
        if isinstance(step, Segment):
            for place, made in enumerate(step.sources):
                said = [row.text for row in step.rows if row.source == place]
                sources[made.ref] = (made, said and sources.get(made.ref, (made, said))[1])
            dead.update(step.tombstones)
    erased, facts = history.erased, history.facts

    def known(ref: SourceRef) -> bool:
        if as_of is None:
            return True
        if ref in sources and sources[ref][0].kind is Kind.MESSAGE:
            return microseconds(START + timedelta(hours=ref.version)) <= as_of.moment
        return ref.version <= as_of.runs.get(REPOSITORY, -1)

    def may_be_shown(made: SourceInfo) -> bool:
        floor = (facts.floors if as_of is None else as_of.floors).get(made.container_id, 0)
        dropped = {made.project_id, made.container_id, made.group_id} & facts.drops
        return known(made.ref) and made.version >= floor and not dropped

    newest: dict[str, int] = {}
    for ref in [*(ref for ref, (made, _) in sources.items() if may_be_shown(made)), *filter(known, dead)]:
        newest[ref.source_id] = max(ref.version, newest.get(ref.source_id, 0))
    visible = [
        (made, rows)
        for ref, (made, rows) in sources.items()
        if may_be_shown(made)
        and newest[ref.source_id] == ref.version
        and not (ref in dead and known(ref))
        and erased.get(ref.source_id, 0) < ref.version
    ]
    return view_of(segment(visible))


@settings(max_examples=300, deadline=None)
@given(histories(), texts, st.sampled_from([0.0, 0.1, 0.7, 1.0]))
def test_any_history_answers_like_an_index_rebuilt_from_what_is_visible(
    history: History, text: str, weight: float
) -> None:
    asked = query(text, meaning_weight=weight)
    with tempfile.TemporaryDirectory() as directory:
        incremental, fresh = Index(Path(directory)).learn(history).view(), rebuilt(history)
        assert answer(incremental, asked) == answer(fresh, asked)
        assert incremental.rows == fresh.rows


@settings(max_examples=300, deadline=None)
@given(histories(), st.integers(0, 4), st.integers(0, 5))
def test_any_history_answers_as_of_then_what_was_visible_then(history: History, run: int, hours: int) -> None:
    # A floor that was there then hides what is below it; one that came later does not.
    floors = {REPOSITORY: history.floor} if 0 < history.floor <= run else {}
    as_of = AsOf(microseconds(START + timedelta(hours=hours)), {REPOSITORY: run}, {}, floors)
    with tempfile.TemporaryDirectory() as directory:
        index, fresh = Index(Path(directory)).learn(history), rebuilt(history, as_of)
        assert sorted(index.view(as_of).sources()) == sorted(fresh.sources())
        assert answer(index.view(as_of), query("queue lease")) == answer(fresh, query("queue lease"))


@settings(max_examples=100, deadline=None)
@given(histories())
def test_equal_content_merges_to_equal_bytes(history: History) -> None:
    segments = [step for step in history.steps if isinstance(step, Segment)]
    if not segments:
        return
    orders = [segments, list(reversed(segments))]
    with tempfile.TemporaryDirectory() as directory:
        made = [merge([part_of(s) for s in order], history.facts, Path(directory)).current for order in orders]
        assert made[0] is not None
        assert made[1] is not None
        assert made[0].sha256 == made[1].sha256


@settings(max_examples=100, deadline=None)
@given(histories(), texts, st.integers(1, 3))
def test_pages_put_together_are_the_whole_answer(history: History, text: str, size: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        view, asked = Index(Path(directory)).learn(history).view(), query(text)
        pages, after = [], None
        while page := search(view, asked, size, after):
            pages += page
            after = page[-1].position
        assert pages == answer(view, asked)
