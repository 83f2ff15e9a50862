"""Which documents of many parts are visible, now or as of a moment in the past.

A document is visible if and only if

1. its version is the newest known for its source, and of two that claim one version it has the larger digest
   (what says nothing has the largest),
2. its source is not gone as of that version (gone wins against a document of the same version),
3. neither its project, its container nor its group is dropped, and
4. its version is not below its repository's floor.

Whoever does not see some projects has them dropped from its view as well, and so finds what it would find in an index
that they were never in.

As of a moment, 1 and 2 look only at what was known then; what somebody deleted since is gone from the past as well.
Nothing here depends on the order or the repetition of parts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from almanac.index.parts import KINDS, NO_TIME, Graves, Part, source_key
from almanac.index.sources import Kind

if TYPE_CHECKING:
    from almanac.index.manifest import ManifestState

Mask = NDArray[np.bool_]
_DTYPES = {"key_high": np.uint64, "key_low": np.uint64, "versions": np.int64, "digests": np.uint64}


@dataclass(frozen=True)
class AsOf:
    """A state of the past: `runs` are those that repositories stood at, `moment` is in microseconds since the epoch.

    A repository without a run shows nothing. Of one in `branches`, only what is on that branch is shown. `floors` are
    those of then: a run that sends everything again hides what lies before it from the present, not from the past.
    """

    moment: int
    runs: Mapping[str, int]
    branches: Mapping[str, str] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What the manifest says about visibility: `erased` versions of sources, `drops`, `floors` of repositories.

    `hidden` are the projects that the reader does not see.
    """

    erased: Mapping[str, int] = field(default_factory=dict)
    drops: frozenset[str] = frozenset()
    floors: Mapping[str, int] = field(default_factory=dict)
    as_of: AsOf | None = None
    hidden: frozenset[str] = frozenset()


def facts_of(state: "ManifestState") -> Facts:
    """Return what a reading of the manifest says about the present."""
    return Facts(dict(state.erased), frozenset(state.drops), state.floors)


@dataclass(frozen=True)
class Shown:
    """What is visible of one part: `documents` and `rows` by place, or None where all of them are."""

    part: Part
    documents: Mask | None

    @cached_property
    def rows(self) -> Mask | None:
        return None if self.documents is None else self.documents[self.part.row_documents]

    @cached_property
    def hidden(self) -> NDArray[np.int64]:
        """The rows that are not visible, in order."""
        return np.empty(0, np.int64) if self.rows is None else np.flatnonzero(~self.rows)

    @cached_property
    def count(self) -> int:
        return self.part.rows - len(self.hidden)

    @cached_property
    def length(self) -> int:
        """How many terms the visible rows have."""
        return self.part.total_length - int(self.part.row_lengths[self.hidden].sum(dtype=np.int64))

    @cached_property
    def unembedded(self) -> int:
        if not self.part.header.unembedded:
            return 0
        without = self.part.scales == 0
        return int(np.count_nonzero(without if self.rows is None else without & self.rows))


class View:
    """One consistent state of an index: its parts, and what is visible of them. Never changes."""

    def __init__(self, parts: Sequence[Part], facts: Facts) -> None:
        self.parts = tuple(parts)
        self.facts = facts
        masks = _visible(self.parts, facts)
        self.shown = tuple(Shown(part, mask) for part, mask in zip(self.parts, masks, strict=True))

    def without(self, projects: frozenset[str]) -> "View":
        """Return the view of who does not see these projects; the same one where nothing of them is in it."""
        if all(projects.isdisjoint(part.names("owners")) for part in self.parts):
            return self
        return View(self.parts, replace(self.facts, hidden=projects))

    @cached_property
    def rows(self) -> int:
        """How many rows are visible."""
        return sum(shown.count for shown in self.shown)

    @cached_property
    def length(self) -> int:
        """How many terms the visible rows have."""
        return sum(shown.length for shown in self.shown)

    @cached_property
    def unembedded(self) -> int:
        """How many visible rows have no vector."""
        return sum(shown.unembedded for shown in self.shown)

    @property
    def nbytes(self) -> int:
        """The memory that parts take, as good as it can be told."""
        return sum(part.nbytes for part in self.parts)

    def sources(self) -> Iterator[tuple[str, int]]:
        """Iterate over the visible sources and their versions."""
        for shown in self.shown:
            for document in visible_documents(shown).tolist():
                info = shown.part.info(document)
                yield info.source_id, info.version

    def find(self, source_id: str) -> tuple[Part, int] | None:
        """Return where the visible document of a source lies."""
        high, low = source_key(source_id)
        for shown in self.shown:
            keys = Keys(np.array([high], np.uint64), np.array([low], np.uint64))
            for _, place in _matches(keys, shown.part):
                if shown.documents is None or shown.documents[place]:
                    return shown.part, int(place)
        return None


@dataclass(frozen=True)
class Keys:
    """Sources, as two columns of 64 bits."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint64]


@dataclass(frozen=True)
class _Claims(Keys):
    """Documents or graves of several parts; `place` is the document's, `part` its part's."""

    version: NDArray[np.int64]
    digest: NDArray[np.uint64]
    part: NDArray[np.int64]
    place: NDArray[np.int64]


def visible_documents(shown: Shown) -> NDArray[np.int64]:
    """Return the places of a part's visible documents."""
    return np.arange(shown.part.documents) if shown.documents is None else np.flatnonzero(shown.documents)


def eligible(part: Part, facts: Facts) -> Mask | None:
    """Return which documents of a part may be visible for all that the facts say; None when all may."""
    tests = [_not_erased(part, facts.erased), _not_dropped(part, facts.drops | facts.hidden)]
    floors = facts.floors if facts.as_of is None else facts.as_of.floors
    tests += [_above_floor(part, floors), _known_then(part, facts.as_of)]
    given = [test for test in tests if test is not None]
    return np.logical_and.reduce(given) if given else None


def kept(parts: Sequence[Part], facts: Facts) -> list[Mask]:
    """Return for each part which documents may be shown now or answer for the past: nobody deleted them."""
    graves = [_graves_of(part.graves(), part, None, erased=True) for part in parts]
    masks = []
    for part in parts:
        tests = [
            test for test in (_not_erased(part, facts.erased), _not_dropped(part, facts.drops)) if test is not None
        ]
        mask = np.logical_and.reduce(tests) if tests else np.ones(part.documents, np.bool_)
        for grave in graves:
            _bury(part, mask, grave)
        masks.append(mask)
    return masks


def _visible(parts: Sequence[Part], facts: Facts) -> list[Mask | None]:
    """Resolve all claims. The largest part is only looked up in, so that a small change to a large index is cheap."""
    if not parts:
        return []
    masks: list[Mask | None] = [eligible(part, facts) for part in parts]
    unique = [place for place, part in enumerate(parts) if part.header.unique]
    base = max(unique, key=lambda place: (parts[place].documents, -place), default=-1)
    claims = _best(_claims([(n, part, masks[n]) for n, part in enumerate(parts) if n != base]))
    graves = [_graves_of(part.graves(), part, facts.as_of) for part in parts]
    stands = np.ones(len(claims.version), np.bool_)
    for grave in graves:
        for mine, theirs in _pairs(claims, grave):
            stands[mine] &= claims.version[mine] > grave.version[theirs]
    if base >= 0:
        # What was merged has settled its own graves already; there may be many.
        others = [grave for number, grave in enumerate(graves) if number != base or not parts[base].covers]
        masks[base] = _settle(parts[base], masks[base], claims, stands, others)
    for number, part in enumerate(parts):
        if number != base:
            shows = masks[number] = np.zeros(part.documents, np.bool_)
            shows[claims.place[stands & (claims.part == number)]] = True
    return [None if mask is None or mask.all() else mask for mask in masks]


def _settle(base: Part, mask: Mask | None, claims: _Claims, stands: Mask, graves: Sequence[_Claims]) -> Mask | None:
    """Settle the claims of the small parts against the documents of the large one."""

    def own() -> Mask:
        return np.ones(base.documents, np.bool_) if mask is None else mask

    for mine, theirs in _matches(claims, base):
        if mask is not None and not mask[theirs]:
            continue
        ours = (int(base.versions[theirs]), int(base.digests[theirs]))
        if (int(claims.version[mine]), int(claims.digest[mine])) > ours:
            mask = own()
            mask[theirs] = False
        else:
            stands[mine] = False
    for grave in graves:
        found = [
            (mine, theirs) for mine, theirs in _matches(grave, base) if grave.version[mine] >= base.versions[theirs]
        ]
        if found:
            mask = own()
            mask[[theirs for _, theirs in found]] = False
    return mask


def _bury(part: Part, mask: Mask, graves: _Claims) -> None:
    for mine, theirs in _matches(graves, part):
        if graves.version[mine] >= part.versions[theirs]:
            mask[theirs] = False


def _matches(keys: Keys, part: Part) -> Iterator[tuple[int, int]]:
    """Yield (place among the keys, document) for every document of the part with one of the keys."""
    if not len(keys.high) or not part.documents:
        return
    low = np.searchsorted(part.key_high, keys.high, "left")
    high = np.searchsorted(part.key_high, keys.high, "right")
    for mine in np.flatnonzero(high > low).tolist():
        for theirs in range(int(low[mine]), int(high[mine])):
            if part.key_low[theirs] == keys.low[mine]:
                yield mine, theirs


def _pairs(claims: _Claims, graves: _Claims) -> Iterator[tuple[int, int]]:
    """Yield (place among the claims, place among the graves) of equal sources; both are in order."""
    if not len(claims.high) or not len(graves.high):
        return
    low = np.searchsorted(graves.high, claims.high, "left")
    high = np.searchsorted(graves.high, claims.high, "right")
    for mine in np.flatnonzero(high > low).tolist():
        for theirs in range(int(low[mine]), int(high[mine])):
            if graves.low[theirs] == claims.low[mine]:
                yield mine, theirs


def _claims(parts: Sequence[tuple[int, Part, Mask | None]]) -> _Claims:
    places = [np.arange(part.documents) if mask is None else np.flatnonzero(mask) for _, part, mask in parts]

    def joined(column: str) -> NDArray[Any]:
        found = [getattr(part, column)[place] for (_, part, _), place in zip(parts, places, strict=True)]
        return np.concatenate(found) if found else np.empty(0, _DTYPES[column])

    numbers = [np.full(len(place), number) for (number, _, _), place in zip(parts, places, strict=True)]
    return _Claims(
        joined("key_high"),
        joined("key_low"),
        joined("versions"),
        joined("digests"),
        np.concatenate([*numbers, np.empty(0, np.int64)]),
        np.concatenate([*places, np.empty(0, np.int64)]),
    )


def _best(claims: _Claims) -> _Claims:
    """Return the best claim of each source, in order of sources; of equal ones that of the first part."""
    order = np.lexsort((-claims.part, claims.digest, claims.version, claims.low, claims.high))
    high, low = claims.high[order], claims.low[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    best = order[last]
    return _Claims(*(getattr(claims, name)[best] for name in ("high", "low", "version", "digest", "part", "place")))


def _graves_of(graves: Graves, part: Part, as_of: AsOf | None, *, erased: bool = False) -> _Claims:
    """Return the graves that count: all, those known as of a moment, or only those of what somebody deleted."""
    chosen = graves.erased == 1
    if not erased:
        chosen = np.ones(len(graves.versions), np.bool_) if as_of is None else chosen | _dug_then(graves, part, as_of)
    place = np.flatnonzero(chosen)
    return _Claims(
        graves.key_high[place],
        graves.key_low[place],
        graves.versions[place],
        np.zeros(len(place), np.uint64),
        np.zeros(len(place), np.int64),
        place,
    )


def _dug_then(graves: Graves, part: Part, as_of: AsOf) -> Mask:
    runs = _by_name(part, as_of.runs, missing=-1)
    found: Mask = graves.versions <= runs[graves.containers]
    return found


def _not_erased(part: Part, erased: Mapping[str, int]) -> Mask | None:
    if not erased:
        return None
    keys = [(*source_key(source_id), version) for source_id, version in erased.items()]
    high, low = (np.array([key[n] for key in keys], np.uint64) for n in (0, 1))
    gone = [theirs for mine, theirs in _matches(Keys(high, low), part) if part.versions[theirs] <= keys[mine][2]]
    if not gone:
        return None
    mask = np.ones(part.documents, np.bool_)
    mask[gone] = False
    return mask


def _not_dropped(part: Part, drops: frozenset[str]) -> Mask | None:
    gone = [place for place, owner in enumerate(part.names("owners")) if owner in drops] if drops else []
    if not gone:
        return None
    owned = [np.isin(part.column(name), gone) for name in ("projects", "containers", "groups")]
    mask: Mask = ~np.logical_or.reduce(owned)
    return mask


def _above_floor(part: Part, floors: Mapping[str, int]) -> Mask | None:
    if floors.keys().isdisjoint(part.names("owners")):
        return None
    mask: Mask = part.versions >= _by_name(part, floors, missing=0)[part.column("containers")]
    return mask


def _known_then(part: Part, as_of: AsOf | None) -> Mask | None:
    if as_of is None:
        return None
    is_dated = np.isin(part.column("kinds"), [KINDS[Kind.MESSAGE], KINDS[Kind.DOCUMENT]])
    written = np.where(part.column("written") == NO_TIME, part.column("times"), part.column("written"))
    runs = _by_name(part, as_of.runs, missing=-1)
    known: Mask = np.where(is_dated, written <= as_of.moment, part.versions <= runs[part.column("containers")])
    for repository, branch in as_of.branches.items():
        of_it = np.array([name == repository for name in part.names("owners")] + [False], np.bool_)
        on_it = np.array([branch in name.split("\n") for name in part.names("branches")] + [True], np.bool_)
        known &= ~of_it[part.column("containers")] | on_it[part.column("branches")]
    return known


def _by_name(part: Part, values: Mapping[str, int], *, missing: int) -> NDArray[np.int64]:
    """Return a value for each owner's name, by place; the place -1 has `missing`, too."""
    return np.array([values.get(name, missing) for name in part.names("owners")] + [missing], np.int64)
