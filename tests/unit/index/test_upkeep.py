"""When a log is to be merged: by its length, its rows and what waits to be forgotten, in proportion to the snapshot."""

from almanac.index.manifest import Drop, Entry, ManifestState, PartRef, SegmentEntry, Snapshot, Tombstones
from almanac.index.upkeep import LONG_LOG, MANY_TOMBSTONES, is_overdue, is_stale


def state_of(*entries: Entry) -> ManifestState:
    state = ManifestState()
    for entry in entries:
        state.apply(entry)
    return state


def log(count: int, rows: int = 1, shard: int = 0) -> list[SegmentEntry]:
    return [SegmentEntry("m", f"{shard}-{number}", rows, 10, "f", shard) for number in range(count)]


def snapshot(rows: int, *, folded: tuple[str, ...] = (), drops: str = "") -> Snapshot:
    return Snapshot("m", 0, 1, "f", PartRef("s", rows, 10), folded=folded, drops=drops)


def test_a_log_is_overdue_when_it_is_long_and_a_large_snapshot_bears_a_longer_one() -> None:
    assert not is_overdue(state_of(*log(LONG_LOG - 1)), "m", 0)
    assert is_overdue(state_of(*log(LONG_LOG)), "m", 0)
    assert is_overdue(state_of(*log(LONG_LOG - 1)), "m", 0, adding=SegmentEntry("m", "new", 1, 10, "f"))
    assert not is_overdue(state_of(snapshot(1_000_000), *log(10 * LONG_LOG)), "m", 0)
    assert is_overdue(state_of(snapshot(1_000_000), *log(11 * LONG_LOG)), "m", 0)


def test_a_log_is_overdue_when_it_is_large_beside_its_snapshot() -> None:
    assert not is_overdue(state_of(*log(1, rows=2_000)), "m", 0)
    assert is_overdue(state_of(*log(1, rows=2_001)), "m", 0)
    assert not is_overdue(state_of(snapshot(40_000), *log(1, rows=10_000)), "m", 0)
    assert is_overdue(state_of(snapshot(40_000), *log(1, rows=10_001)), "m", 0)


def test_each_shard_and_each_index_has_a_log_of_its_own() -> None:
    state = state_of(*log(LONG_LOG, shard=1))
    assert (is_overdue(state, "m", 1), is_overdue(state, "m", 0), is_overdue(state, "other", 0)) == (True, False, False)


def test_tombstones_count_until_the_snapshot_knows_them() -> None:
    buried = [Tombstones({f"message:{number}": 1}) for number in range(MANY_TOMBSTONES)]
    assert not is_overdue(state_of(*buried), "m", 0)
    assert is_overdue(state_of(snapshot(5), *buried), "m", 0)
    assert not is_overdue(state_of(snapshot(5), *buried[1:]), "m", 0)
    known = snapshot(5, folded=tuple(each.digest for each in buried))
    assert not is_overdue(state_of(known, *buried), "m", 0)
    assert not is_stale(state_of(known, *buried), "m", 0)
    assert is_stale(state_of(snapshot(5), buried[0]), "m", 0)


def test_a_snapshot_is_stale_until_it_was_made_with_all_drops() -> None:
    dropped = state_of(Drop("prj_1"))
    assert is_stale(state_of(snapshot(5), Drop("prj_1")), "m", 0)
    assert not is_stale(state_of(snapshot(5, drops=dropped.drops_digest), Drop("prj_1")), "m", 0)
    assert not is_stale(dropped, "m", 0)
    assert is_stale(state_of(*log(1), Drop("prj_1")), "m", 0)
