"""Commits, read leniently (what old tools wrote is still history), and the graph that they form."""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from almanac.text.languages import decode

_PERSON = re.compile(rb"(.*?) ?<(.*?)>(?: +(-?\d+)(?: +([+-]\d+))?)?\s*\Z", re.DOTALL)
_RECORD = struct.Struct(">20sqH")


@dataclass(frozen=True)
class Commit:
    """One commit. Times are in epoch seconds; `author` is `Name <email>`."""

    tree: bytes
    parents: tuple[bytes, ...]
    author: str
    authored_at: int
    committed_at: int
    message: str

    @property
    def subject(self) -> str:
        return next((line.strip() for line in self.message.splitlines() if line.strip()), "")


def parse_commit(raw: bytes) -> Commit:
    """Read a commit's text; raises `ValueError` when there is no tree in it."""
    head, _, message = raw.partition(b"\n\n")
    fields: dict[bytes, list[bytes]] = {}
    for line in head.split(b"\n"):
        name, _, value = line.partition(b" ")
        if name:
            fields.setdefault(name, []).append(value)
    if b"tree" not in fields:
        raise ValueError("a commit without a tree")
    encoding = fields.get(b"encoding", [b""])[0].decode("ascii", "replace")
    author, authored_at = _person(fields.get(b"author", [b""])[0], encoding)
    _, committed_at = _person(fields.get(b"committer", [b""])[0], encoding)
    parents = tuple(fields.get(b"parent", []))
    return Commit(fields[b"tree"][0], parents, author, authored_at, committed_at, _text(message, encoding))


def _person(line: bytes, encoding: str) -> tuple[str, int]:
    match = _PERSON.match(line)
    if match is None:
        return _text(line.strip(), encoding), 0
    name, email, seconds, _ = match.groups()
    shown = f"{_text(name.strip(), encoding)} <{_text(email.strip(), encoding)}>".strip()
    return shown, _bounded(int(seconds)) if seconds and len(seconds) < 20 else 0


def _bounded(seconds: int) -> int:
    return max(-(2**62), min(2**62, seconds))


def _text(raw: bytes, encoding: str) -> str:
    if encoding:
        try:
            return raw.decode(encoding)
        except (LookupError, ValueError):
            pass
    return decode(raw)[0]


@dataclass
class CommitGraph:
    """The parents and commit times of known commits, by hexadecimal id. A parent that is not known ends history."""

    _commits: dict[bytes, tuple[tuple[bytes, ...], int]] = field(default_factory=dict)

    def __contains__(self, commit: bytes) -> bool:
        return commit in self._commits

    def __len__(self) -> int:
        return len(self._commits)

    def add(self, commit: bytes, parents: tuple[bytes, ...], committed_at: int) -> None:
        self._commits[commit] = (parents, committed_at)

    def parents(self, commit: bytes) -> list[bytes]:
        """Return the parents; raises `KeyError` for a commit that is not known."""
        return list(self._commits[commit][0])

    def reachable(self, heads: Iterable[str]) -> set[bytes]:
        """Return the heads and all their ancestors."""
        known = self._commits
        seen: set[bytes] = set()
        todo = [head.encode() for head in heads]
        while todo:
            commit = todo.pop()
            if commit not in seen and commit in known:
                seen.add(commit)
                todo += known[commit][0]
        return seen

    def newest_first(self, commits: Iterable[bytes]) -> list[bytes]:
        """Return commits by time, then id: an order that no process chooses."""
        return sorted(commits, key=lambda commit: (-self._commits[commit][1], commit))

    def dump(self) -> bytes:
        """Return the table as bytes; equal graphs give equal bytes."""
        return b"".join(self._records())

    def _records(self) -> Iterator[bytes]:
        for commit, (parents, committed_at) in sorted(self._commits.items()):
            yield _RECORD.pack(bytes.fromhex(commit.decode()), committed_at, len(parents))
            yield b"".join(bytes.fromhex(parent.decode()) for parent in parents)

    def load(self, table: bytes) -> None:
        """Add what `dump` wrote."""
        offset = 0
        while offset < len(table):
            commit, committed_at, count = _RECORD.unpack_from(table, offset)
            offset += _RECORD.size
            parents = tuple(table[offset + 20 * n : offset + 20 * n + 20].hex().encode() for n in range(count))
            offset += 20 * count
            self._commits[commit.hex().encode()] = (parents, committed_at)
