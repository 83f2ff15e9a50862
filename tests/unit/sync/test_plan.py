"""The set algebra of a run, against its definition."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.sync.failures import SyncFailed
from projects.sync.plan import Difference, Entry, EntryKind, differences, shown_path

Tree = dict[bytes, Any]
"""Name to blob, or to another tree."""
blobs = st.sampled_from([b"a" * 40, b"b" * 40])
names = st.sampled_from([b"x", b"y", b"z"])
trees = st.recursive(
    st.dictionaries(names, blobs, max_size=3),
    lambda inner: st.dictionaries(names, st.one_of(blobs, inner), max_size=3),
    max_leaves=8,
)
states = st.dictionaries(st.sampled_from(["main", "dev"]), trees, max_size=2)


State = dict[str, Tree]


class Store:
    """Trees by content, as git keeps them; counts what is opened."""

    def __init__(self) -> None:
        self.trees: dict[bytes, list[tuple[bytes, int, bytes]]] = {}
        self.opened: list[bytes] = []

    def add(self, tree: Tree) -> bytes:
        entries = []
        for name, content in sorted(tree.items()):
            is_tree = isinstance(content, dict)
            sha: bytes = self.add(content) if is_tree else content
            entries.append((name, 0o40000 if is_tree else 0o100644, sha))
        sha = repr(entries).encode()
        self.trees[sha] = entries
        return sha

    def read(self, tree: bytes) -> list[tuple[bytes, int, bytes]]:
        self.opened.append(tree)
        return self.trees[tree]


def flat(tree: Tree, prefix: bytes = b"") -> set[tuple[bytes, bytes]]:
    found: set[tuple[bytes, bytes]] = set()
    for name, content in tree.items():
        found |= flat(content, prefix + name + b"/") if isinstance(content, dict) else {(prefix + name, content)}
    return found


def content(state: dict[str, Tree]) -> dict[tuple[bytes, bytes], frozenset[str]]:
    held: dict[tuple[bytes, bytes], set[str]] = {}
    for branch, tree in state.items():
        for entry in flat(tree):
            held.setdefault(entry, set()).add(branch)
    return {entry: frozenset(branches) for entry, branches in held.items()}


@given(st.lists(states, min_size=1, max_size=3), states)
def test_the_walk_finds_exactly_what_not_all_states_hold_alike(
    before: list[dict[str, Tree]], after: dict[str, Tree]
) -> None:
    store = Store()
    roots = [{branch: store.add(tree) for branch, tree in state.items()} for state in [*before, after]]
    found = [d for group in differences(roots[:-1], roots[-1], store.read) for d in group]
    *held, wanted = (content(state) for state in [*before, after])
    expected = {
        Difference(
            Entry(path, EntryKind.FILE, blob),
            tuple(state.get((path, blob), frozenset()) for state in held),
            wanted.get((path, blob), frozenset()),
        )
        for path, blob in {key for state in [*held, wanted] for key in state}
    }
    assert set(found) == {difference for difference in expected if difference.differs}
    assert len(found) == len(set(found))


@given(st.lists(states, min_size=1, max_size=3), states)
def test_the_order_does_not_depend_on_the_process(before: list[dict[str, Tree]], after: dict[str, Tree]) -> None:
    store = Store()
    roots = [{branch: store.add(tree) for branch, tree in state.items()} for state in [*before, after]]
    turned = [dict(reversed(list(state.items()))) for state in roots]
    first = list(differences(roots[:-1], roots[-1], store.read))
    assert first == list(differences(turned[:-1], turned[-1], store.read))


def test_what_all_states_share_is_never_opened() -> None:
    store = Store()
    shared: Tree = {b"x": {b"y": b"a" * 40}}
    old, new = store.add({b"s": shared, b"f": b"a" * 40}), store.add({b"s": shared, b"f": b"b" * 40})
    groups = list(differences([{"main": old}], {"main": new}, store.read))
    assert [d.entry.path for group in groups for d in group] == [b"f", b"f"]
    assert len(groups) == 1
    assert set(store.opened) == {old, new}


def test_a_few_objects_that_stand_for_an_endless_tree_are_given_up() -> None:
    trees = {b"0": [(b"f", 0o100644, b"a" * 40)]}
    for level in range(1, 60):
        below = b"%d" % (level - 1)
        trees[b"%d" % level] = [(b"l", 0o40000, below), (b"r", 0o40000, below)]
    with pytest.raises(SyncFailed) as failed:
        list(differences([{}], {"main": b"59"}, trees.__getitem__, max_trees=5_000))
    assert failed.value.code == "too_large"


@given(st.binary(max_size=40))
def test_any_path_is_shown_as_printable_text(path: bytes) -> None:
    assert shown_path(path).isprintable()
