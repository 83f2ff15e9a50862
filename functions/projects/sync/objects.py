"""The git objects of one repository on local disk: reading, taking in what a host sent, and the graph of commits.

Everything here blocks: for threads. A pack is three files with one name, the SHA-256 of the pack file: the pack, its
index, and the commits that came with it (a table of parents, so that reachability needs no inflating of history).
"""

import hashlib
import mmap
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dulwich.errors import ChecksumMismatch, GitProtocolError, ObjectFormatException
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import DiskObjectStore
from dulwich.objects import ObjectID, parse_tree
from dulwich.pack import UnresolvedDeltas, load_pack_index, write_pack_from_container, write_pack_index

from projects.sync import failures
from projects.sync.commits import Commit, CommitGraph, parse_commit

PARTS = (".pack", ".commits", ".idx")
"""In the order of writing: a pack whose index is there is complete."""
MAX_OBJECT_BYTES = 100 << 20
MAX_INFLATED_BYTES = 16 << 30
MAX_OBJECTS = 1_000_000
_COMMIT, _TREE, _BLOB = 1, 2, 3
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_CHUNK = 1 << 16
_DAMAGE = (
    zlib.error,
    struct.error,
    ValueError,
    LookupError,
    AssertionError,
    ChecksumMismatch,
    ObjectFormatException,
    GitProtocolError,
    UnresolvedDeltas,
)


@dataclass
class Incoming:
    """A pack on its way in, bounded by `limit` bytes."""

    file: IO[bytes]
    limit: int
    size: int = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        if self.size > self.limit:
            raise failures.too_large("The repository", f"{self.limit >> 20} MB")
        return self.file.write(data)


class Objects:
    """The objects in a directory of packs. Not for several threads at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.packs = directory / "pack"
        self.packs.mkdir(parents=True, exist_ok=True)
        self.graph = CommitGraph()
        for table in sorted(self.packs.glob("*.commits")):
            self.graph.load(table.read_bytes())
        self._store = DiskObjectStore(directory)

    def close(self) -> None:
        self._store.close()

    def has_commit(self, commit: str) -> bool:
        """Tell whether a commit is here, and with it everything that it reaches."""
        return commit.encode() in self.graph

    def commit(self, commit: bytes) -> Commit:
        """Return a commit; raises `KeyError`."""
        return parse_commit(self._store.get_raw(ObjectID(commit))[1])

    def tree(self, tree: bytes) -> list[tuple[bytes, int, bytes]]:
        """Return the entries (name, mode, id) of a tree; raises `KeyError`."""
        _, raw = self._store.get_raw(ObjectID(tree))
        return [(name, mode, bytes(entry)) for name, mode, entry in parse_tree(raw, 20)]

    def blob(self, blob: bytes) -> bytes:
        """Return the bytes of a file; raises `KeyError`."""
        return self._store.get_raw(ObjectID(blob))[1]

    def require(self, name: bytes) -> None:
        """Raise `KeyError` when an object is not here."""
        if ObjectID(name) not in self._store:
            raise KeyError(name)

    def incoming(self, limit: int) -> Incoming:
        """Open a place for a pack. It is taken in by `take`, or left to `discard`."""
        return Incoming((self.directory / "incoming").open("w+b"), limit)

    def discard(self, pack: Incoming) -> None:
        pack.file.close()
        (self.directory / "incoming").unlink(missing_ok=True)

    def take(self, pack: Incoming, heads: Iterable[str]) -> str | None:
        """Complete, check and index a received pack; returns its name, None when nothing was sent.

        `heads` are the commits that it was fetched for. Raises `SyncFailed` on one that is broken or a trap.
        """
        if pack.size == 0:
            self.discard(pack)
            return None
        before = set(self.packs.iterdir())
        try:
            pack.file.flush()
            inspect(pack.file)
            self._add(pack.file)
        except _DAMAGE as error:
            raise failures.incomplete() from error
        finally:
            self.discard(pack)
        added = [path for path in self.packs.iterdir() if path not in before and path.suffix == ".pack"]
        return self._settle(added[0], self._new_commits(heads)) if added else None

    def _add(self, source: IO[bytes]) -> None:
        target, commit, abort = self._store.add_pack()
        try:
            source.seek(0)
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        except BaseException:
            abort()
            raise
        commit()

    def _new_commits(self, heads: Iterable[str]) -> CommitGraph:
        """Return the table of the commits that are reachable from `heads` and not known yet."""
        found = CommitGraph()
        todo = [head.encode() for head in heads]
        while todo:
            commit = todo.pop()
            if commit in self.graph or commit in found:
                continue
            try:
                parsed = self.commit(commit)
            except KeyError:
                continue  # The remote's own history ends here: it is a shallow clone.
            except ValueError as error:
                raise failures.incomplete() from error  # A branch that leads to something else than a commit.
            found.add(commit, parsed.parents, parsed.committed_at)
            todo += parsed.parents
        return found

    def _settle(self, path: Path, commits: CommitGraph) -> str:
        """Give a pack its name and its table of commits."""
        self._store.close()
        name = f"pack-{_digest(path)}"
        (self.packs / f"{name}.commits").write_bytes(commits.dump())
        path.rename(self.packs / f"{name}.pack")
        path.with_suffix(".idx").rename(self.packs / f"{name}.idx")
        self.graph.load(commits.dump())
        self._store = DiskObjectStore(self.directory)
        return name

    def names(self) -> list[str]:
        """Return the names of the complete packs."""
        return sorted(path.stem for path in self.packs.glob("*.idx"))

    def merge(self, names: list[str]) -> str:
        """Write one pack with the objects of several; the old ones stay until they are dropped."""
        ids: set[bytes] = set()
        commits = CommitGraph()
        for name in names:
            index = load_pack_index(str(self.packs / f"{name}.idx"), DEFAULT_OBJECT_FORMAT)
            ids.update(bytes(entry[0]).hex().encode() for entry in index.iterentries())
            index.close()
            commits.load((self.packs / f"{name}.commits").read_bytes())
        path = self.directory / "merging.pack"
        with path.open("wb") as target:
            wanted = [(ObjectID(sha), None) for sha in sorted(ids)]
            entries, checksum = write_pack_from_container(
                target.write, self._store, wanted, DEFAULT_OBJECT_FORMAT, reuse_deltas=True
            )
        with path.with_suffix(".idx").open("wb") as target:
            write_pack_index(target, sorted((sha, *place) for sha, place in entries.items()), checksum)
        return self._settle(path, commits)

    def drop(self, names: Iterable[str]) -> None:
        """Remove packs whose objects are in another one."""
        self._store.close()
        for name in names:
            for part in reversed(PARTS):
                (self.packs / f"{name}{part}").unlink(missing_ok=True)
        self._store = DiskObjectStore(self.directory)


def inspect(file: IO[bytes]) -> None:
    """Refuse a pack that would not fit into memory once inflated, before anything inflates it whole.

    Walks all objects in constant memory; raises `SyncFailed` for a trap, `ValueError` or `zlib.error` for damage.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"PACK" or len(data) < 32:
            raise ValueError("not a pack")
        if hashlib.sha1(memoryview(data)[:-20]).digest() != data[-20:]:  # noqa: S324 - git's own checksum
            raise ValueError("the pack's checksum differs")
        (count,) = struct.unpack(">L", data[8:12])
        if count > MAX_OBJECTS:
            raise failures.too_large("The history", f"{MAX_OBJECTS:,} objects")
        total, offset = 0, 12
        for _ in range(count):
            kind, size, offset = _object_header(data, offset)
            inflated, offset = _inflate(data, offset, size, is_delta=kind in {_OFFSET_DELTA, _REFERENCE_DELTA})
            total += inflated
            if inflated > MAX_OBJECT_BYTES:
                raise failures.too_large("A file in the history", f"{MAX_OBJECT_BYTES >> 20} MB")
            if total > MAX_INFLATED_BYTES:
                raise failures.too_large("The unpacked history", f"{MAX_INFLATED_BYTES >> 30} GB")


def _object_header(data: mmap.mmap, offset: int) -> tuple[int, int, int]:
    """Return an object's type, its size inflated, and where its compressed bytes begin."""
    byte = data[offset]
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    offset += 1
    while byte & 128:
        byte = data[offset]
        size |= (byte & 127) << shift
        shift += 7
        offset += 1
    if kind == _OFFSET_DELTA:
        while data[offset] & 128:
            offset += 1
        offset += 1
    elif kind == _REFERENCE_DELTA:
        offset += 20
    elif kind not in {_COMMIT, _TREE, _BLOB, 4}:
        raise ValueError("an object of an unknown type")
    return kind, size, offset


def _inflate(data: mmap.mmap, offset: int, size: int, *, is_delta: bool) -> tuple[int, int]:
    """Return the size of the object that the stream at `offset` makes, and where the stream ends."""
    if size > MAX_OBJECT_BYTES:
        return size, offset
    stream, made, head = zlib.decompressobj(), 0, b""
    step = 4096
    while not stream.eof:
        chunk = stream.unconsumed_tail
        if not chunk:
            chunk = data[offset : offset + step]
            offset += len(chunk)
            step = _CHUNK
            if not chunk:
                raise ValueError("the pack ends within an object")
        out = stream.decompress(chunk, _CHUNK)
        head = head or out[:32]
        made += len(out)
        if made > size:
            raise ValueError("an object is larger than it says")
    if made != size:
        raise ValueError("an object is smaller than it says")
    return (_delta_target(head) if is_delta else size), offset - len(stream.unused_data)


def _delta_target(head: bytes) -> int:
    """Return the size of what a delta makes: the second number at its beginning."""
    numbers = _numbers(head)
    next(numbers)
    return next(numbers)


def _numbers(head: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in head:
        value |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            yield value
            value = shift = 0
    raise ValueError("a delta without its sizes")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
