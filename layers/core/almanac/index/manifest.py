"""The manifest: which segments, tombstones, drops and heads make up an index. One partition of the table.

Every entry only adds knowledge, and adding it twice or in another order changes nothing. So writers never wait for one
another, a repeated write is harmless, and a read sees at least whatever was acknowledged before it began.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from almanac.aws import keys
from almanac.aws.table import Item, Put, Table
from almanac.index.sources import SourceInfo, SourceRef

_REFS_PER_ITEM = 1000
"""Keeps an item of tombstones far below DynamoDB's 400 KB."""


@dataclass(frozen=True)
class SegmentEntry:
    """A segment that belongs to the index. `size` is its object's bytes, `fingerprint` its model's."""

    sha256: str
    rows: int
    size: int
    fingerprint: str


@dataclass(frozen=True)
class Tombstones:
    """Sources that are gone as of a version: what the index holds up to it is hidden."""

    versions: dict[str, int]

    @classmethod
    def of(cls, refs: Iterable[SourceRef]) -> "Tombstones":
        versions: dict[str, int] = {}
        for ref in refs:
            versions[ref.source_id] = max(ref.version, versions.get(ref.source_id, 0))
        return cls(versions)

    @property
    def refs(self) -> list[SourceRef]:
        return [SourceRef(source_id=source_id, version=version) for source_id, version in self.versions.items()]


@dataclass(frozen=True)
class Drop:
    """A project, repository or checkpoint that is gone with everything in it. Its id is never used again."""

    owner_id: str


@dataclass(frozen=True)
class Head:
    """What the index shows of a repository since its `run` completed.

    `branches` are the synced branches and their commits, `commit` is that of `branch`, the one that hits are cited at.
    """

    repository_id: str
    run: int
    commit: str | None
    branch: str | None = None
    branches: dict[str, str] = field(default_factory=dict)


Entry = SegmentEntry | Tombstones | Drop | Head


@dataclass
class ManifestState:
    """Everything that a manifest says. Grows by `apply`; equal knowledge is equal, however it was gathered."""

    segments: dict[str, SegmentEntry] = field(default_factory=dict)
    tombstones: dict[str, int] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    heads: dict[str, Head] = field(default_factory=dict)

    def apply(self, entry: Entry) -> None:
        match entry:
            case SegmentEntry():
                self.segments[entry.sha256] = entry
            case Tombstones():
                for source_id, version in entry.versions.items():
                    self.tombstones[source_id] = max(version, self.tombstones.get(source_id, 0))
            case Drop():
                self.drops.add(entry.owner_id)
            case Head():
                known = self.heads.get(entry.repository_id)
                if known is None or known.run <= entry.run:
                    self.heads[entry.repository_id] = entry

    def hides(self, source: SourceInfo) -> bool:
        """Tell whether the source can never be visible, whatever else is added: indexing it would be in vain."""
        gone = self.tombstones.get(source.source_id, 0) >= source.version
        return gone or source.project_id in self.drops or source.container_id in self.drops


class Manifest:
    """One tenant's manifest for one embedding model: reads, and writes to be part of somebody's transaction."""

    def __init__(self, table: Table, tenant_id: str, model_slug: str) -> None:
        self._table = table
        self._partition = keys.index_partition(tenant_id, model_slug)

    async def read(self) -> ManifestState:
        """Return the manifest as it is, in one strongly consistent query."""
        state = ManifestState()
        async for item in self._table.query_all(self._partition):
            if (entry := from_item(item)) is not None:
                state.apply(entry)
        return state

    async def read_hidden(self) -> ManifestState:
        """Return only tombstones and drops: what a writer needs to know."""
        state = ManifestState()
        for key in (keys.index_drop(self._partition, ""), keys.index_tombstones(self._partition, "")):
            async for item in self._table.query_all(self._partition, prefix=key.sk):
                if (entry := from_item(item)) is not None:
                    state.apply(entry)
        return state

    def append(self, entry: SegmentEntry) -> Put:
        """Add a segment that is in the bucket. The write is refused when the segment was added before."""
        return Put(to_item(self._partition, entry))

    def hide(self, refs: Sequence[SourceRef]) -> list[Put]:
        """Hide sources; equal refs make equal items, so that a repeat writes nothing new."""
        ordered = sorted(set(refs), key=lambda ref: (ref.source_id, ref.version))
        groups = [ordered[start : start + _REFS_PER_ITEM] for start in range(0, len(ordered), _REFS_PER_ITEM)]
        return [Put(to_item(self._partition, Tombstones.of(group)), overwrite=True) for group in groups]

    def drop(self, owner_id: str) -> Put:
        """Hide everything of a project, repository or checkpoint, for ever."""
        return Put(to_item(self._partition, Drop(owner_id)), overwrite=True)

    def head(self, head: Head) -> Put:
        """Tell at which commits a repository stands. The write is refused when a later run has told."""
        item = to_item(self._partition, head)
        return Put(item, condition="attribute_not_exists(#pk) OR #run <= :run", values={":run": head.run})


def to_item(partition: str, entry: Entry) -> Item:
    match entry:
        case SegmentEntry():
            key = keys.index_segment(partition, entry.sha256)
            fields = {
                "entity": "index_segment",
                "rows": entry.rows,
                "size": entry.size,
                "fingerprint": entry.fingerprint,
            }
            return {**key.as_dict(), **fields, "sha256": entry.sha256}
        case Tombstones():
            digest = hashlib.sha256(repr(sorted(entry.versions.items())).encode()).hexdigest()
            key = keys.index_tombstones(partition, digest)
            return {**key.as_dict(), "entity": "index_tombstones", "versions": entry.versions}
        case Drop():
            return {
                **keys.index_drop(partition, entry.owner_id).as_dict(),
                "entity": "index_drop",
                "owner_id": entry.owner_id,
            }
        case Head():
            key = keys.index_head(partition, entry.repository_id)
            return {**key.as_dict(), "entity": "index_head", **vars(entry)}


def from_item(item: Item) -> Entry | None:
    """Read what `to_item` wrote; None for an entity that is not known here."""
    match item["entity"]:
        case "index_segment":
            return SegmentEntry(item["sha256"], item["rows"], item["size"], item["fingerprint"])
        case "index_tombstones":
            return Tombstones(item["versions"])
        case "index_drop":
            return Drop(item["owner_id"])
        case "index_head":
            branch, commit = item.get("branch"), item.get("commit")
            return Head(item["repository_id"], item["run"], commit, branch, item["branches"])
    return None
