"""After any history the index answers exactly like one built at once from what is visible."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index.engine import Engine
from almanac.index.segments import Segment, encode
from almanac.index.sources import SourceInfo, SourceRef
from tests.unit.index.histories import MODEL, WORDS, answer, engine_of, info, query, segment

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
versions = st.integers(1, 4)


class History(NamedTuple):
    """Segments, tombstones and drops, in the order in which one reader learned of them."""

    steps: list[Segment | SourceRef | str]


@st.composite
def histories(draw: st.DrawFn) -> History:
    chunks: dict[SourceRef, list[str]] = {}

    def source() -> tuple[SourceInfo, list[str]]:
        made = info(draw(st.integers(0, 7)), draw(versions))
        # A version of a source is one text, whoever writes it and however often.
        return made, chunks.setdefault(made.ref, draw(st.lists(texts, max_size=3)))

    def appended() -> Segment:
        by_id = {made[0].source_id: made for made in (source() for _ in range(draw(st.integers(0, 4))))}
        return segment(list(by_id.values()), [tombstone() for _ in range(draw(st.integers(0, 2)))])

    def tombstone() -> SourceRef:
        return info(draw(st.integers(0, 7)), draw(versions)).ref

    def dropped() -> str:
        return draw(st.sampled_from(["prj_0", "prj_1", "chk_0", "chk_1", "chk_2"]))

    steps: list[Segment | SourceRef | str] = []
    for kind in draw(st.lists(st.sampled_from("aaaaaattd"), min_size=1, max_size=12)):
        steps.append(appended() if kind == "a" else tombstone() if kind == "t" else dropped())
    repeated = draw(st.lists(st.sampled_from(steps), max_size=4))
    return History(draw(st.permutations(steps + repeated)))


def grown(history: History) -> Engine:
    engine = Engine(MODEL)
    for step in history.steps:
        match step:
            case Segment():
                engine.add(encode(step).sha256, step)
            case SourceRef():
                engine.hide([step])
            case _:
                engine.drop([step])
        engine.search(query("queue"), 1)
    return engine


def rebuilt(history: History) -> Engine:
    """Build from the visible sources alone, as the rule says them, in one segment."""
    newest: dict[str, int] = {}
    dead: set[SourceRef] = set()
    sources: dict[SourceRef, tuple[SourceInfo, list[str]]] = {}
    for step in history.steps:
        if isinstance(step, Segment):
            for place, made in enumerate(step.sources):
                sources[made.ref] = (made, [row.text for row in step.rows if row.source == place])
            dead.update(step.tombstones)
        elif isinstance(step, SourceRef):
            dead.add(step)
    for ref in [*sources, *dead]:
        newest[ref.source_id] = max(ref.version, newest.get(ref.source_id, 0))
    drops = {step for step in history.steps if isinstance(step, str)}
    visible = [
        made
        for ref, made in sources.items()
        if newest[ref.source_id] == ref.version
        and ref not in dead
        and not {made[0].project_id, made[0].container_id} & drops
    ]
    return engine_of(segment(visible))


@settings(max_examples=300, deadline=None)
@given(histories(), texts, st.sampled_from([0.0, 0.1, 0.7, 1.0]))
def test_any_history_answers_like_an_index_rebuilt_from_what_is_visible(
    history: History, text: str, weight: float
) -> None:
    asked = query(text, meaning_weight=weight)
    incremental, fresh = grown(history), rebuilt(history)
    assert answer(incremental, asked) == answer(fresh, asked)
    assert incremental.visible_rows == fresh.visible_rows


@settings(max_examples=100, deadline=None)
@given(histories(), texts, st.integers(1, 3))
def test_pages_put_together_are_the_whole_answer(history: History, text: str, size: int) -> None:
    engine, asked = grown(history), query(text)
    pages, after = [], None
    while page := engine.search(asked, size, after):
        pages += page
        after = page[-1].position
    assert pages == answer(engine, asked)
