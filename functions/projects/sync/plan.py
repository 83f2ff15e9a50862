"""What a run has to change in the index: the difference between what it may hold and what it should, as pure functions.

    S(heads) = {(path, blob, kind): branches}          for the trees of the heads
    C(heads) = commits that the heads reach

The index may hold any mixture of the completed state and of the targets that runs began to emit ("attempted"). So an
entry of the target is written again unless *all* those states agree on it, and an entry of any of them that the target
lacks gets a tombstone. Subtrees that all states share are never opened.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from projects.sync import failures
from projects.sync.commits import CommitGraph

MAX_TREES = 200_000

Heads = Mapping[str, str]
Branches = frozenset[str]
ReadTree = Callable[[bytes], Sequence[tuple[bytes, int, bytes]]]


class EntryKind(StrEnum):
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


@dataclass(frozen=True, order=True)
class Entry:
    """One version of one file at one path. `blob` is its hexadecimal id."""

    path: bytes
    kind: EntryKind
    blob: bytes


@dataclass(frozen=True)
class Difference:
    """An entry that not all states hold alike: `before` in each state that the index may show, `after` in the target.

    The first of `before` is the completed state.
    """

    entry: Entry
    before: tuple[Branches, ...]
    after: Branches

    @property
    def added(self) -> bool:
        return bool(self.after) and not self.before[0]

    @property
    def removed(self) -> bool:
        return bool(self.before[0]) and not self.after

    @property
    def differs(self) -> bool:
        return any(branches != self.after for branches in self.before)


_Trees = Mapping[str, bytes]
"""Of one state: branch -> tree."""


def differences(
    states: Sequence[_Trees], target: _Trees, read: ReadTree, *, max_trees: int | None = None
) -> Iterator[list[Difference]]:
    """Iterate over the entries that differ, those of one path together, in an order that only the trees decide.

    `states` and `target` map branches to root trees. Raises `SyncFailed` after opening `max_trees` directories: a few
    objects can stand for a tree without end.
    """
    stack: list[tuple[bytes, list[_Trees]]] = [(b"", [*states, target])]
    opened = 0
    while stack:
        prefix, trees = stack.pop()
        if all(tree == trees[0] for tree in trees):
            continue
        opened += 1
        if max_trees is not None and opened > max_trees:
            raise failures.too_large("The file tree", f"{max_trees} directories")
        directories, leaves = _open(trees, read)
        for name in sorted(leaves):
            if group := _compare(prefix + name, leaves[name]):
                yield group
        stack += [(prefix + name + b"/", directories[name]) for name in sorted(directories, reverse=True)]


_Leaves = list[dict[tuple[EntryKind, bytes], set[str]]]


def _open(trees: list[_Trees], read: ReadTree) -> tuple[dict[bytes, list[_Trees]], dict[bytes, _Leaves]]:
    """Return what lies in one directory of all states: subdirectories and files by name, each per state."""
    listings = {tree: read(tree) for tree in {tree for state in trees for tree in state.values()}}
    directories: dict[bytes, list[dict[str, bytes]]] = {}
    leaves: dict[bytes, _Leaves] = {}
    for position, state in enumerate(trees):
        for branch, tree in state.items():
            for name, mode, sha in listings[tree]:
                if stat.S_ISDIR(mode):
                    states = directories.setdefault(name, [{} for _ in trees])
                    states[position][branch] = sha
                else:
                    files = leaves.setdefault(name, [{} for _ in trees])
                    files[position].setdefault((_kind(mode), sha), set()).add(branch)
    return {name: list(states) for name, states in directories.items()}, leaves


def _kind(mode: int) -> EntryKind:
    if stat.S_ISLNK(mode):
        return EntryKind.SYMLINK
    return EntryKind.SUBMODULE if stat.S_IFMT(mode) == 0o160000 else EntryKind.FILE


def _compare(path: bytes, states: _Leaves) -> list[Difference]:
    group = []
    for kind, blob in sorted({key for state in states for key in state}):
        *before, after = (frozenset(state.get((kind, blob), ())) for state in states)
        difference = Difference(Entry(path, kind, blob), tuple(before), after)
        if difference.differs:
            group.append(difference)
    return group


@dataclass(frozen=True)
class CommitDifference:
    """A commit to write (`after`) or to hide; `completed` tells whether the completed state holds it."""

    commit: bytes
    completed: bool
    after: bool


def commit_differences(graph: CommitGraph, states: Sequence[Heads], target: Heads) -> list[CommitDifference]:
    """Return the commits that not all states reach alike, newest first."""
    *before, after = (graph.reachable(heads.values()) for heads in [*states, target])
    everywhere = after.intersection(*before)
    anywhere = after.union(*before)
    return [
        CommitDifference(commit, completed=commit in before[0], after=commit in after)
        for commit in graph.newest_first(anywhere - everywhere)
    ]


def code_source_id(repository_id: str, entry: Entry) -> str:
    """Example: `code:rep_1:5feceb66ffc86f38d952786c6d696c79`. One per path and blob, whatever the path's bytes."""
    digest = hashlib.sha256(entry.path + b"\0" + entry.blob).hexdigest()[:32]
    return f"code:{repository_id}:{digest}"


def commit_source_id(repository_id: str, commit: bytes) -> str:
    """Example: `commit:rep_1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12`."""
    return f"commit:{repository_id}:{commit.decode()}"


def shown_path(path: bytes) -> str:
    """Return a path as text: UTF-8 where it is that; other bytes and control characters as `\\xNN`."""
    text = path.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
