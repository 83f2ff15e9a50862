"""From a plan to batches: the sources to write and the refs to hide, cut into steps of a bounded size.

Everything here blocks: for threads. The order of groups depends on git objects and on the number of the run's order
alone, so that a number of groups is a cursor that another invocation can go on from.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from almanac.index.sources import Source, SourceBatch, SourceRef
from projects.sync import failures, order
from projects.sync.objects import Objects
from projects.sync.order import Rank, rank_of
from projects.sync.plan import (
    MAX_TREES,
    CommitDifference,
    Difference,
    EntryKind,
    Heads,
    code_source_id,
    commit_differences,
    commit_source_id,
    differences,
    shown_path,
)
from projects.sync.sources import MAX_NAMED_FILES, Origin, code_source, commit_source, skipped_because

_MAX_LISTED_FILES = 10 * MAX_NAMED_FILES
_MAX_GROUP = 16
"""The versions of one path travel together, so that an edit is one step; a path may have one in each branch, though."""


@dataclass(frozen=True)
class StepLimits:
    """When a step is full: about as many chunks as a model embeds in a second, or enough looked at."""

    sources: int = 32
    text: int = 40_000
    deleted: int = 500
    groups: int = 1_000


@dataclass
class Delta:
    """By how much the target's counts differ from those of the completed state."""

    files: int = 0
    commits: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, reason: str | None, by: int) -> None:
        if reason is None:
            self.files += by
        else:
            self.skipped[reason] += by


@dataclass(frozen=True)
class Step:
    """One step's batch, encoded (None when there is nothing to write), and where the next one begins."""

    batch: bytes | None
    sources: int
    deleted: int
    cursor: int
    last: bool
    delta: Delta


@dataclass
class _Filling:
    sources: list[Source] = field(default_factory=list)
    deleted: list[SourceRef] = field(default_factory=list)
    groups: int = 0
    text: int = 0

    def is_full(self, limits: StepLimits) -> bool:
        return (
            len(self.sources) >= limits.sources
            or self.text >= limits.text
            or len(self.deleted) >= limits.deleted
            or self.groups >= limits.groups
        )


def require_whole(objects: Objects, before: Heads, target: Heads) -> None:
    """Raise `SyncFailed` when the target has more directories than are synced, or lacks an object."""
    try:
        states = [trees_of(objects, before)]
        for group in differences(states, trees_of(objects, target), objects.tree, max_trees=MAX_TREES):
            for difference in group:
                if difference.after and difference.entry.kind is not EntryKind.SUBMODULE:
                    objects.require(difference.entry.blob)
    except KeyError as error:
        raise failures.incomplete() from error


def trees_of(objects: Objects, heads: Heads) -> dict[str, bytes]:
    """Return the root trees of branches."""
    return {branch: objects.commit(commit.encode()).tree for branch, commit in heads.items()}


class Emission:
    """What one run writes, step by step, beginning after `cursor` groups of the order that the run began with.

    `before` are the states that the index may hold, the completed one first. `forced` are ids of sources that failed
    before and are written again whether or not they differ.
    """

    def __init__(
        self,
        objects: Objects,
        origin: Origin,
        before: Sequence[Heads],
        *,
        forced: frozenset[str] = frozenset(),
        in_order: int = order.BY_RANK,
        cursor: int = 0,
        limits: StepLimits | None = None,
    ) -> None:
        self._objects = objects
        self._origin = origin
        self._before = list(before)
        self._forced = forced
        self._order = in_order
        self._cursor = cursor
        self._limits = limits or StepLimits()
        self._groups = islice(self._all_groups(), cursor, None)
        self._next: list[Difference] | CommitDifference | None = None
        self._started = False

    def step(self) -> Step:
        """Return the next step. After the last one there is no other."""
        if not self._started:
            self._started = True
            self._next = next(self._groups, None)
        filling, delta = _Filling(), Delta()
        while self._next is not None and not filling.is_full(self._limits):
            if isinstance(self._next, CommitDifference):
                self._add_commit(self._next, filling, delta)
            else:
                for difference in self._next:
                    self._add_entry(difference, filling, delta)
            filling.groups += 1
            self._next = next(self._groups, None)
        self._cursor += filling.groups
        batch = SourceBatch(sources=filling.sources, deleted=filling.deleted)
        body = batch.encode() if filling.sources or filling.deleted else None
        return Step(body, len(filling.sources), len(filling.deleted), self._cursor, self._next is None, delta)

    def submodules(self, limit: int) -> list[str]:
        """Return the paths of the target's submodules, at most `limit`."""
        everything = differences([{}], trees_of(self._objects, self._origin.heads), self._objects.tree)
        paths = (shown_path(d.entry.path) for group in everything for d in group if d.entry.kind is EntryKind.SUBMODULE)
        return sorted(set(islice(paths, limit)))

    def _all_groups(self) -> Iterator[list[Difference] | CommitDifference]:
        if self._order == order.AS_WALKED:
            yield from self._entry_groups(None, set())
            yield from self._commit_groups()
            return
        # The trees are walked once for each rank that occurs: all that differs may be more than fits into memory.
        met: set[Rank] = set()
        for rank in Rank:
            if rank is Rank.COMMIT:
                yield from self._commit_groups()
            elif rank is Rank.GUIDE or rank in met:
                yield from self._entry_groups(rank, met)

    def _entry_groups(self, rank: Rank | None, met: set[Rank]) -> Iterator[list[Difference]]:
        """Iterate over the groups of a rank, or of all; adds to `met` which ranks there are."""
        states = [trees_of(self._objects, heads) for heads in self._before]
        # A state that holds nothing makes every entry of the target differ: the forced ones are among them.
        padding: list[dict[str, bytes]] = [{}] if self._forced else []
        for group in differences([*states, *padding], trees_of(self._objects, self._origin.heads), self._objects.tree):
            if rank is not None:
                found = rank_of(group[0].entry.path)
                met.add(found)
                if found is not rank:
                    continue
            wanted = [d for d in map(self._without_padding, group) if d.differs or self._is_forced(d)]
            for start in range(0, len(wanted), _MAX_GROUP):
                yield wanted[start : start + _MAX_GROUP]

    def _without_padding(self, difference: Difference) -> Difference:
        return Difference(difference.entry, difference.before[: len(self._before)], difference.after)

    def _is_forced(self, difference: Difference) -> bool:
        return code_source_id(self._origin.repository_id, difference.entry) in self._forced

    def _commit_groups(self) -> Iterator[CommitDifference]:
        graph, target = self._objects.graph, self._origin.heads
        found = commit_differences(graph, self._before, target)
        yield from found
        prefix = commit_source_id(self._origin.repository_id, b"")
        forced = {name.removeprefix(prefix).encode() for name in self._forced if name.startswith(prefix)}
        if forced:
            again = forced & graph.reachable(target.values()) - {difference.commit for difference in found}
            for commit in graph.newest_first(again):
                yield CommitDifference(commit, completed=True, after=True)

    def _add_entry(self, difference: Difference, filling: _Filling, delta: Delta) -> None:
        entry = difference.entry
        change = difference.added - difference.removed
        if entry.kind is not EntryKind.FILE:
            delta.count(entry.kind.value, change)
            return
        if not difference.after:
            filling.deleted.append(self._ref(code_source_id(self._origin.repository_id, entry)))
        if not difference.after and not change:
            return
        content = self._objects.blob(entry.blob)
        reason = skipped_because(entry, content)
        delta.count(reason, change)
        if difference.after and reason is None:
            source = code_source(self._origin, entry, difference.after, content)
            filling.sources.append(source)
            filling.text += len(source.text)

    def _add_commit(self, difference: CommitDifference, filling: _Filling, delta: Delta) -> None:
        delta.commits += difference.after - difference.completed
        if not difference.after:
            filling.deleted.append(self._ref(commit_source_id(self._origin.repository_id, difference.commit)))
            return
        commit = self._objects.commit(difference.commit)
        source = commit_source(
            self._origin, difference.commit, commit, self._changed_files(commit.tree, commit.parents)
        )
        filling.sources.append(source)
        filling.text += len(source.text)

    def _changed_files(self, tree: bytes, parents: Sequence[bytes]) -> list[str]:
        """Return the paths that a commit changed against its first parent; none when that parent is not here."""
        if parents and parents[0] not in self._objects.graph:
            return []
        before = {"": self._objects.commit(parents[0]).tree} if parents else {}
        groups = differences([before], {"": tree}, self._objects.tree)
        return [shown_path(group[0].entry.path) for group in islice(groups, _MAX_LISTED_FILES)]

    def _ref(self, source_id: str) -> SourceRef:
        return SourceRef(source_id=source_id, version=self._origin.version)
