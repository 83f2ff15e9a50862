"""Merging parts: what is visible of them becomes one part, what answers only for the past another.

The merge is a pure function of what the parts say: equal content gives equal bytes, but for the list of the merged.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from almanac.index.encoding import Columns, lay_out
from almanac.index.parts import NAMES, Graves, Part, source_key
from almanac.index.visibility import Facts, Mask, View, kept
from almanac.index.words import BLOCK, Block, block_of

_NAMED = {
    "projects": "owners",
    "containers": "owners",
    "groups": "owners",
    "paths": "paths",
    "languages": "languages",
    "authors": "authors",
    "branches": "branches",
}
_PLAIN = ("kinds", "times", "written")


@dataclass(frozen=True)
class Written:
    """A part in a file: its name, and what the manifest says of it."""

    sha256: str
    path: Path
    rows: int
    size: int


@dataclass(frozen=True)
class Merged:
    """What a merge left: `current` holds what is visible, `history` what is not but nobody deleted; None when empty."""

    current: Written | None
    history: Written | None


def merge(parts: Sequence[Part], facts: Facts, directory: Path, *, keep_history: bool = True) -> Merged:
    """Write the parts that take the place of `parts`, which hold a snapshot's current part and a log.

    What was deleted goes; that it was deleted stays, so that a copy that comes late is hidden as well. Files and
    commits that a repository no longer has go to history, with the runs that took them away.
    """
    view = View(parts, facts)
    visible = [np.ones(s.part.documents, np.bool_) if s.documents is None else s.documents for s in view.shown]
    current = _write(parts, visible, _lasting(parts, facts), directory, covers=parts)
    if not keep_history:
        return Merged(current, None)
    past = [keeps & ~shows for keeps, shows in zip(kept(parts, facts), visible, strict=True)]
    # What took something away before the last merge went to history then.
    graves = _passing([part for part in parts if not part.covers])
    return Merged(current, _write(parts, past, graves, directory))


def merge_history(parts: Sequence[Part], facts: Facts, directory: Path) -> Written | None:
    """Write the part that takes the place of several history parts, without what was deleted."""
    return _write(parts, kept(parts, facts), _passing(parts), directory)


def holds_deleted(part: Part, facts: Facts) -> bool:
    """Tell whether a history part has anything in it that somebody deleted."""
    return not kept([part], facts)[0].all()


@dataclass(frozen=True)
class _Graves:
    """Graves of several parts under common names."""

    columns: Graves
    owners: Sequence[str]


def _write(
    parts: Sequence[Part], chosen: Sequence[Mask], graves: _Graves, directory: Path, covers: Sequence[Part] = ()
) -> Written | None:
    """Write a part of the chosen documents. One that covers others has each source once, and is written if empty."""
    order = _order(parts, chosen)
    if not len(order) and not len(graves.columns.versions) and not covers:
        return None
    columns = _gather(parts, order, graves)
    columns.covers = tuple(sorted(part.name for part in covers))
    columns.unique = bool(covers)
    digest, size = hashlib.sha256(), 0
    path = directory / "merging"
    with path.open("wb") as file:
        for piece in lay_out(columns):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
    name = digest.hexdigest()
    return Written(name, path.rename(directory / name), len(columns.arrays["row_documents"]), size)


def _order(parts: Sequence[Part], chosen: Sequence[Mask]) -> NDArray[np.int64]:
    """Return the chosen documents as [documents, 2] of part and place, in order of source and version, each once."""
    places = [np.flatnonzero(mask) for mask in chosen]
    number = np.concatenate([np.full(len(place), n) for n, place in enumerate(places)] or [np.empty(0, np.int64)])
    place = np.concatenate([*places, np.empty(0, np.int64)])
    names = ("key_high", "key_low", "versions", "digests")
    high, low, version, digest = (
        np.concatenate([getattr(part, name)[where] for part, where in zip(parts, places, strict=True)] or [_NOTHING])
        for name in names
    )
    order = np.lexsort((number, digest, version, low, high))
    equal = np.zeros(len(order), np.bool_)
    for column in (high, low, version, digest):
        ordered = column[order]
        equal[1:] = (ordered[1:] == ordered[:-1]) & (equal[1:] if column is not high else True)
    distinct = order[~equal]
    return np.stack([number[distinct], place[distinct]], axis=1).astype(np.int64)


_NOTHING = np.empty(0, np.uint64)


def _gather(parts: Sequence[Part], order: NDArray[np.int64], graves: _Graves) -> Columns:
    rows, of_document = _rows(parts, order)
    names, arrays = _documents(parts, order, graves)
    model = parts[0].model
    vectors = np.empty((len(rows), model.dimensions), np.int8)
    places = np.empty((len(rows), 3), np.int32)
    scales, lengths = np.empty(len(rows), np.float32), np.empty(len(rows), np.int32)
    for number, part in enumerate(parts):
        mine = np.flatnonzero(rows[:, 0] == number)
        theirs = rows[mine, 1]
        vectors[mine], places[mine] = part.vectors[theirs], part.row_places[theirs]
        scales[mine], lengths[mine] = part.scales[theirs], part.row_lengths[theirs]
    return Columns(
        model=model,
        arrays={
            "vectors": vectors,
            "scales": scales,
            "row_documents": of_document,
            "row_places": places,
            "row_lengths": lengths,
            **arrays,
        },
        names=names,
        blocks=list(_words(parts, rows)),
        texts=((text, context) for text, context in (parts[p].text(r) for p, r in rows.tolist())),
        infos=(parts[p].info(d).model_dump(mode="json", exclude_none=True) for p, d in order.tolist()),
    )


def _rows(parts: Sequence[Part], order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the rows of documents as [rows, 2] of part and place, and the new place of each one's document."""
    starts, counts = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
    for number, part in enumerate(parts):
        mine = np.flatnonzero(order[:, 0] == number)
        starts[mine] = np.searchsorted(part.row_documents, order[mine, 1], "left")
        counts[mine] = np.searchsorted(part.row_documents, order[mine, 1], "right") - starts[mine]
    documents = np.repeat(np.arange(len(order)), counts)
    within = np.arange(len(documents)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.stack([order[documents, 0], starts[documents] + within], axis=1)
    return rows, documents.astype(np.int32)


def _documents(
    parts: Sequence[Part], order: NDArray[np.int64], graves: _Graves
) -> tuple[dict[str, list[str]], dict[str, NDArray[Any]]]:
    """Return the tables of names, in order, with the columns that point into them."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("key_high", "key_low", "versions", "digests"):
        arrays[name] = _taken([getattr(part, name) for part in parts], order)
    for name in _PLAIN:
        arrays[name] = _taken([part.column(name) for part in parts], order)
    used: dict[str, set[str]] = {table: set() for table in NAMES}
    used["owners"].update(graves.owners)
    columns = {name: [part.column(name) for part in parts] for name in _NAMED}
    for name, table in _NAMED.items():
        for number, part in enumerate(parts):
            seen = np.unique(columns[name][number][order[order[:, 0] == number, 1]]).tolist()
            used[table].update(part.names(table)[place] for place in seen if place >= 0)
    tables = {table: sorted(names) for table, names in used.items()}
    for name, table in _NAMED.items():
        place = {known: number for number, known in enumerate(tables[table])}
        renamed = [
            np.array([place.get(known, -1) for known in part.names(table)] + [-1], np.int32)[columns[name][number]]
            for number, part in enumerate(parts)
        ]
        arrays[name] = _taken(renamed, order)
    owner = {known: number for number, known in enumerate(tables["owners"])}
    renamed_owners = np.array([owner[known] for known in graves.owners] + [-1], np.int32)
    for name, column in graves.columns._asdict().items():
        arrays[f"grave_{name}"] = renamed_owners[column] if name == "containers" else column
    return tables, arrays


def _taken(columns: Sequence[NDArray[Any]], order: NDArray[np.int64]) -> NDArray[Any]:
    found = np.empty(len(order), columns[0].dtype)
    for number, column in enumerate(columns):
        mine = order[:, 0] == number
        found[mine] = column[order[mine, 1]]
    return found


def _words(parts: Sequence[Part], rows: NDArray[np.int64]) -> Iterator[Block]:
    """Yield the blocks of the new rows. One at a time, since all postings of a large index do not fit into memory."""
    new = [np.full(part.rows, -1, np.int64) for part in parts]
    for number in range(len(parts)):
        mine = np.flatnonzero(rows[:, 0] == number)
        new[number][rows[mine, 1]] = mine
    for first in range(0, len(rows), BLOCK):
        terms, places, counts = [], [], []
        for number, part in enumerate(parts):
            for block in part.blocks:
                moved = new[number][block.first : block.first + BLOCK]
                inside = (moved >= first) & (moved < first + BLOCK)
                if not inside.any():
                    continue
                chosen = np.flatnonzero(inside[block.rows])
                terms.append(np.repeat(block.terms, np.diff(block.starts))[chosen])
                places.append((moved[block.rows[chosen]] - first).astype(np.uint16))
                counts.append(block.counts[chosen])
        if terms:
            yield block_of(first, np.concatenate(terms), np.concatenate(places), np.concatenate(counts))


def _lasting(parts: Sequence[Part], facts: Facts) -> _Graves:
    """Return what is known to be gone, once for each source, with the newest version that says so."""
    found: dict[tuple[int, int, int], tuple[int, int]] = {}
    owners: dict[str, int] = {}
    for part in parts:
        graves = part.graves()
        names = part.names("owners")
        for high, low, version, container, erased in zip(*(column.tolist() for column in graves), strict=True):
            owner = -1 if container < 0 else owners.setdefault(names[container], len(owners))
            key = (high, low, erased)
            found[key] = max(found.get(key, (0, -1)), (version, owner))
    for source_id, version in facts.erased.items():
        key = (*source_key(source_id), 1)
        found[key] = max(found.get(key, (0, -1)), (version, -1))
    return _sorted_graves([(*key[:2], version, owner, key[2]) for key, (version, owner) in found.items()], owners)


def _passing(parts: Sequence[Part]) -> _Graves:
    """Return every run that took something away: the past needs them all."""
    found: set[tuple[int, int, int, int, int]] = set()
    owners: dict[str, int] = {}
    for part in parts:
        names = part.names("owners")
        for high, low, version, container, erased in zip(*(c.tolist() for c in part.graves()), strict=True):
            if not erased:
                owner = -1 if container < 0 else owners.setdefault(names[container], len(owners))
                found.add((high, low, version, owner, 0))
    return _sorted_graves(found, owners)


def _sorted_graves(graves: Collection[tuple[int, int, int, int, int]], owners: Mapping[str, int]) -> _Graves:
    ordered = sorted(graves, key=lambda grave: (grave[0], grave[1], grave[4], grave[2]))
    dtypes = (np.uint64, np.uint64, np.int64, np.int32, np.uint8)
    columns = (np.array([grave[n] for grave in ordered], dtype) for n, dtype in enumerate(dtypes))
    return _Graves(Graves(*columns), list(owners))
