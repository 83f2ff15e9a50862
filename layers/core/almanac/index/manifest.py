"""The manifest: everything that is known of a tenant's indexes. One partition of the table.

It holds the facts that no embedding model changes (what is deleted, dropped, awaited; where repositories stand) and,
for each index, the names of its parts: the log of segments and, per shard, one snapshot.

A read may take several pages, and DynamoDB isolates none of them from writes. So the order of the sort keys is part of
the design: what may be taken away sorts before what says the same from then on. `AWAITING` goes when a `LOG` entry has
come; `LOG` and `TOMBSTONES` go when a `VERSION` holds them. Whoever misses an entry that went therefore reads, later,
what replaced it; whoever sees both sees the same knowledge twice, which changes nothing. Everything else only grows.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import TypeAdapter

from almanac.aws import keys
from almanac.aws.table import Check, Delete, Item, Put, Table
from almanac.events import Origin
from almanac.index.sources import SourceInfo, SourceRef

_REFS_PER_ITEM = 1000
"""Keeps an item of tombstones far below DynamoDB's 400 KB."""
_origin: TypeAdapter[Origin] = TypeAdapter(Origin)


class IndexState(StrEnum):
    """What an index is for. Every one of them takes in all that is written."""

    SERVING = "serving"
    BUILDING = "building"
    RETAINED = "retained"


@dataclass(frozen=True)
class IndexInfo:
    """One index of a tenant: its parts lie under its id, its vectors are of `model`, its sources in `shards`.

    `served_until` is when another took its place in answering queries.
    """

    id: str
    model: str
    state: IndexState = IndexState.SERVING
    shards: int = 1
    created_at: str = ""
    served_until: str = ""


@dataclass(frozen=True)
class Directory:
    """A tenant's indexes. `version` is 0 for one that was never written: then there is only the deployment's own."""

    indexes: Mapping[str, IndexInfo]
    version: int = 0

    @classmethod
    def default(cls, index_id: str, model: str) -> "Directory":
        return cls({index_id: IndexInfo(index_id, model)})

    @property
    def serving(self) -> IndexInfo:
        return next(info for info in self.indexes.values() if info.state is IndexState.SERVING)


@dataclass(frozen=True)
class Awaited:
    """Sources that are stored but not embedded: a version of a message, or a batch of a sync run.

    `batch_key` is the object with the sources. `source_id` is given where words alone can find them already.
    """

    name: str
    origin: Origin
    batch_key: str
    container_id: str
    source_id: str | None = None
    version: int = 0
    since: str = ""


@dataclass(frozen=True)
class SegmentEntry:
    """A segment of an index. `size` is its object's bytes, `fingerprint` its model's, `origin` where it came from."""

    index_id: str
    sha256: str
    rows: int
    size: int
    fingerprint: str
    shard: int = 0
    origin: Origin | None = None


@dataclass(frozen=True)
class PartRef:
    """An object of a snapshot."""

    sha256: str
    rows: int
    size: int


@dataclass(frozen=True)
class Snapshot:
    """What one shard of an index held when its log was last merged.

    `current` holds what was visible, `history` what was not visible any more but answers for the past. `folded` are the
    digests of the tombstones that it knows: such an item goes when every snapshot of every index knows it. `drops` is
    the digest of the drops that it was made with. `retired` are objects that this and earlier snapshots replaced, by
    the time when they did; a sweep removes them after a while. `generation` counts the snapshots of the shard.
    """

    index_id: str
    shard: int
    generation: int
    fingerprint: str
    current: PartRef | None
    history: tuple[PartRef, ...] = ()
    folded: tuple[str, ...] = ()
    retired: Mapping[str, str] = field(default_factory=dict)
    drops: str = ""
    at: str = ""


@dataclass(frozen=True)
class Tombstones:
    """Sources that were erased, as of a version: nothing of them up to it is shown, nor answers for the past."""

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

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(sorted(self.versions.items())).encode()).hexdigest()


@dataclass(frozen=True)
class Drop:
    """A project, repository, checkpoint, collection or document that is gone with everything in it.

    Its id is never used again.
    """

    owner_id: str


@dataclass(frozen=True)
class Head:
    """What the index shows of a repository since its `run` completed.

    `branches` are the synced branches and their commits, `commit` is that of `branch`, the one that hits are cited at.
    A run that sent everything again makes itself the `floor`: nothing of an earlier run is shown any more.
    """

    repository_id: str
    run: int
    commit: str | None
    branch: str | None = None
    branches: dict[str, str] = field(default_factory=dict)
    floor: int = 0


@dataclass(frozen=True)
class Lost:
    """A part whose object is missing or damaged, and that no older version of the object could bring back."""

    index_id: str
    sha256: str
    reason: str
    at: str


Entry = Directory | Awaited | SegmentEntry | Snapshot | Lost | Tombstones | Drop | Head


@dataclass
class ManifestState:
    """Everything that a manifest says. Grows by `apply`; equal knowledge is equal, however it was gathered.

    `log` is by index id and segment name, `snapshots` by index id and shard, `erased` by source id. `tombstones` are
    the items that `erased` came from, for whoever folds them into a snapshot.
    """

    directory: Directory = Directory({})
    awaiting: dict[str, Awaited] = field(default_factory=dict)
    log: dict[str, dict[str, SegmentEntry]] = field(default_factory=dict)
    snapshots: dict[str, dict[int, Snapshot]] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)
    tombstones: dict[str, Tombstones] = field(default_factory=dict)
    drops: set[str] = field(default_factory=set)
    heads: dict[str, Head] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)

    def apply(self, entry: Entry) -> None:
        match entry:
            case Directory():
                self.directory = entry
            case Awaited():
                self.awaiting[entry.name] = entry
            case SegmentEntry():
                self.log.setdefault(entry.index_id, {})[entry.sha256] = entry
            case Snapshot():
                self.snapshots.setdefault(entry.index_id, {})[entry.shard] = entry
            case Tombstones():
                self.tombstones[entry.digest] = entry
                self._bury(entry.versions)
            case Drop():
                self.drops.add(entry.owner_id)
            case Lost():
                self.lost[entry.sha256] = entry
            case Head():
                known = self.heads.get(entry.repository_id, entry)
                self.heads[entry.repository_id] = entry if known.run <= entry.run else known

    def _bury(self, versions: Mapping[str, int]) -> None:
        for source_id, version in versions.items():
            self.erased[source_id] = max(version, self.erased.get(source_id, 0))

    def segments(self, index_id: str, shard: int | None = None) -> dict[str, SegmentEntry]:
        """Return the log of an index, or of one of its shards, by segment name."""
        log = self.log.get(index_id, {})
        return {name: entry for name, entry in log.items() if shard is None or entry.shard == shard}

    def snapshot(self, index_id: str, shard: int = 0) -> Snapshot | None:
        return self.snapshots.get(index_id, {}).get(shard)

    @property
    def drops_digest(self) -> str:
        """Stands for the drops: equal for equal ones."""
        return hashlib.sha256(repr(sorted(self.drops)).encode()).hexdigest() if self.drops else ""

    @property
    def standing(self) -> dict[str, Head]:
        """Where the repositories stand that are not dropped."""
        return {name: head for name, head in self.heads.items() if name not in self.drops}

    @property
    def floors(self) -> dict[str, int]:
        """The runs before which nothing of a repository is shown."""
        return {name: head.floor for name, head in self.heads.items() if head.floor}

    def hides(self, source: SourceInfo) -> bool:
        """Tell whether the source can never be visible, whatever else is added: indexing it would be in vain."""
        gone = self.erased.get(source.source_id, 0) >= source.version
        return gone or not self.drops.isdisjoint({source.project_id, source.container_id, source.group_id})


class Manifest:
    """One tenant's manifest: reads, and writes to be part of somebody's transaction.

    `default` is the index of a tenant that never chose one: the deployment's own. Whoever only writes facts needs none.
    """

    def __init__(self, table: Table, tenant_id: str, default: Directory | None = None) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._default = default or Directory({})

    async def read(self) -> ManifestState:
        """Return the manifest as it is, in one strongly consistent query."""
        state = ManifestState(self._default)
        async for item in self._table.query_all(keys.index_partition(self._tenant_id)):
            if (entry := from_item(item)) is not None:
                state.apply(entry)
        return state

    def await_(self, awaited: Awaited) -> Put:
        """Say that sources are stored and will be embedded; a newer version of a message takes the place of the old."""
        return self._put(awaited, overwrite=True)

    def settled(self, name: str) -> Delete:
        """Take back `await_`; harmless when that was done."""
        return Delete(keys.index_awaiting(self._tenant_id, name))

    def settled_version(self, name: str, version: int) -> Delete:
        """Take back `await_` of one version; refused when another version is awaited by now, or none."""
        return Delete(keys.index_awaiting(self._tenant_id, name), "#version = :version", {":version": version})

    def append(self, entry: SegmentEntry) -> Put:
        """Add a segment that is in the bucket. The write is refused when the segment was added before."""
        return self._put(entry)

    def remove(self, entry: SegmentEntry | Snapshot | Tombstones) -> Delete:
        """Take away what a snapshot holds, or what belongs to no index any more."""
        key = to_item(self._tenant_id, entry)
        return Delete(keys.Key(key["pk"], key["sk"]))

    def lose(self, lost: Lost) -> Put:
        """Write down that a part is lost, or that it still is."""
        return self._put(lost, overwrite=True)

    def found(self, index_id: str, sha256: str) -> Delete:
        """Take back `lose`; harmless when that was done."""
        return Delete(keys.index_lost(self._tenant_id, index_id, sha256))

    def swap(self, snapshot: Snapshot) -> Put:
        """Put a snapshot in the place of the one before it; refused when there is another by now."""
        item = to_item(self._tenant_id, snapshot)
        if snapshot.generation == 1:
            return Put(item)
        return Put(item, condition="#generation = :before", values={":before": snapshot.generation - 1})

    def direct(self, directory: Directory) -> Put:
        """Write the next version of the directory; refused when somebody else has written one."""
        item = to_item(self._tenant_id, directory)
        if directory.version == 1:
            return Put(item)
        return Put(item, condition="#version = :before", values={":before": directory.version - 1})

    def pin(self, directory: Directory) -> Put:
        """Write the directory that a tenant had by default as its first; refused when it has another by now.

        Whoever does so at the same time writes the same: that is no conflict.
        """
        name = directory.serving.id
        item = {**to_item(self._tenant_id, Directory(directory.indexes, 1)), "pinned": name}
        return Put(item, condition="attribute_not_exists(#pk) OR #pinned = :pinned", values={":pinned": name})

    def unchanged(self, directory: Directory) -> Check:
        """Let a transaction depend on there being no later directory."""
        key = keys.index_directory(self._tenant_id)
        if directory.version == 0:
            return Check(key, "attribute_not_exists(#pk)")
        return Check(key, "#version = :version", {":version": directory.version})

    def hide(self, refs: Sequence[SourceRef]) -> list[Put]:
        """Erase sources; equal refs make equal items, so that a repeat writes nothing new."""
        ordered = sorted(set(refs), key=lambda ref: (ref.source_id, ref.version))
        groups = [ordered[start : start + _REFS_PER_ITEM] for start in range(0, len(ordered), _REFS_PER_ITEM)]
        return [self._put(Tombstones.of(group), overwrite=True) for group in groups]

    def drop(self, owner_id: str) -> Put:
        """Hide everything of a project, repository or checkpoint, for ever."""
        return self._put(Drop(owner_id), overwrite=True)

    def head(self, head: Head) -> Put:
        """Tell at which commits a repository stands. The write is refused when a later run has told."""
        item = to_item(self._tenant_id, head)
        return Put(item, condition="attribute_not_exists(#pk) OR #run <= :run", values={":run": head.run})

    def _put(self, entry: Entry, *, overwrite: bool = False) -> Put:
        return Put(to_item(self._tenant_id, entry), overwrite=overwrite)


def to_item(tenant_id: str, entry: Entry) -> Item:
    match entry:
        case Directory():
            indexes = [vars(info) for info in entry.indexes.values()]
            key = keys.index_directory(tenant_id)
            return {**key.as_dict(), "entity": "index_directory", "indexes": indexes, "version": entry.version}
        case Awaited():
            key = keys.index_awaiting(tenant_id, entry.name)
            fields = {**vars(entry), "origin": entry.origin.model_dump()}
            return {**key.as_dict(), "entity": "index_awaited", **fields}
        case SegmentEntry():
            key = keys.index_segment(tenant_id, entry.index_id, entry.sha256)
            fields = {**vars(entry), "origin": entry.origin.model_dump() if entry.origin else None}
            return {**key.as_dict(), "entity": "index_segment", **fields}
        case Snapshot():
            key = keys.index_version(tenant_id, entry.index_id, entry.shard)
            current = vars(entry.current) if entry.current else None
            history = [vars(part) for part in entry.history]
            fields = {**vars(entry), "current": current, "history": history, "folded": list(entry.folded)}
            return {**key.as_dict(), "entity": "index_snapshot", **fields}
        case Tombstones():
            key = keys.index_tombstones(tenant_id, entry.digest)
            return {**key.as_dict(), "entity": "index_tombstones", "versions": entry.versions}
        case Lost():
            key = keys.index_lost(tenant_id, entry.index_id, entry.sha256)
            return {**key.as_dict(), "entity": "index_lost", **vars(entry)}
        case Drop():
            key = keys.index_drop(tenant_id, entry.owner_id)
            return {**key.as_dict(), "entity": "index_drop", "owner_id": entry.owner_id}
        case Head():
            key = keys.index_head(tenant_id, entry.repository_id)
            return {**key.as_dict(), "entity": "index_head", **vars(entry)}


def from_item(item: Item) -> Entry | None:
    """Read what `to_item` wrote; None for an entity that is not known here."""
    fields = {name: value for name, value in item.items() if name not in {"pk", "sk", "entity"}}
    match item["entity"]:
        case "index_directory":
            infos = [IndexInfo(**{**info, "state": IndexState(info["state"])}) for info in fields["indexes"]]
            return Directory({info.id: info for info in infos}, fields["version"])
        case "index_awaited":
            return Awaited(**{**fields, "origin": _origin.validate_python(fields["origin"])})
        case "index_segment":
            origin = fields.get("origin")
            return SegmentEntry(**{**fields, "origin": _origin.validate_python(origin) if origin else None})
        case "index_snapshot":
            current, history = fields.get("current"), tuple(PartRef(**part) for part in fields["history"])
            parts = {"current": PartRef(**current) if current else None, "history": history}
            return Snapshot(**{**fields, **parts, "folded": tuple(fields["folded"])})
        case "index_tombstones":
            return Tombstones(fields["versions"])
        case "index_lost":
            return Lost(**fields)
        case "index_drop":
            return Drop(fields["owner_id"])
        case "index_head":
            return Head(**{"commit": None, **fields})
    return None
