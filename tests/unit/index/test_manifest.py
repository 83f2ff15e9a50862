"""The manifest's entries: what they say does not depend on their order or repetition."""

from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.table import Put
from almanac.events import MessageOrigin
from almanac.index.manifest import (
    Awaited,
    Directory,
    Drop,
    Entry,
    Head,
    IndexInfo,
    IndexState,
    Lost,
    Manifest,
    ManifestState,
    PartRef,
    SegmentEntry,
    Snapshot,
    Tombstones,
    from_item,
    to_item,
)
from almanac.index.sources import SourceRef
from tests.unit.index.histories import info

names = st.sampled_from(["a", "b", "c"])
# A run of a repository has one outcome.
heads = st.builds(
    lambda name, run: Head(name, run, f"commit{run}", "main", {"main": f"commit{run}"}), names, st.integers(1, 3)
)
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(lambda name: SegmentEntry("m", name, rows=1, size=10, fingerprint="f"), names),
    st.builds(Tombstones, st.dictionaries(names, st.integers(1, 4), min_size=1)),
    st.builds(Drop, names),
    st.builds(lambda name: Lost("m", name, "missing", "2026-01-31"), names),
    heads,
    st.builds(
        lambda name, version: Awaited(
            name, MessageOrigin(message_id=name, version=version), f"k{version}", "chk", name, version, "2026-01-31"
        ),
        names,
        st.just(1),
    ),
    st.builds(
        lambda name: Snapshot(
            name,
            0,
            1,
            "f",
            PartRef("s", 3, 10),
            (PartRef("h", 1, 5),),
            ("d",),
            {"old": "2026-01-31"},
            "drops",
            "2026-01-31",
        ),
        names,
    ),
    st.just(
        Directory({"a": IndexInfo("a", "local:a"), "b": IndexInfo("b", "local:b", IndexState.BUILDING, 2, "t")}, 2)
    ),
)


def gathered(found: list[Entry]) -> ManifestState:
    state = ManifestState()
    for entry in found:
        state.apply(entry)
    return state


@given(st.lists(entries, max_size=8), st.data())
def test_order_and_repetition_of_entries_do_not_matter(found: list[Entry], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(found), max_size=4)) if found else []
    assert gathered(data.draw(st.permutations(found + again))) == gathered(found)


@given(entries)
def test_an_entry_survives_its_item(entry: Entry) -> None:
    assert from_item(to_item("ten_1", entry)) == entry


def test_an_entity_of_a_later_version_is_passed_over() -> None:
    assert from_item({"pk": "p", "sk": "SNAPSHOT", "entity": "index_of_tomorrow"}) is None


def test_a_source_is_hidden_by_its_tombstone_its_project_or_its_container() -> None:
    source = info(1, 3)
    assert not ManifestState().hides(source)
    assert not gathered([Tombstones({source.source_id: 2})]).hides(source)
    for entry in (Tombstones({source.source_id: 3}), Drop(source.project_id), Drop(source.container_id)):
        assert gathered([entry]).hides(source)


def test_equal_tombstones_are_one_item_and_many_are_several() -> None:
    manifest = Manifest(None, "ten_1")  # type: ignore[arg-type]
    refs = [SourceRef(source_id=f"message:{number}", version=1) for number in range(2500)]
    writes = manifest.hide(refs)
    assert writes == manifest.hide([*reversed(refs), refs[0]])
    assert [len(write.item["versions"]) for write in writes] == [1000, 1000, 500]
    assert all(isinstance(write, Put) and write.overwrite for write in writes)
