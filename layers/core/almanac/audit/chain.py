"""The hash chain of an audit log, as anybody can check it offline. Standard library only; docs/audit.md is its text.

A *line* is an entry as it is exported: its members, `hash`, and `source` unless that was erased. The hash of an entry
is the SHA-256 of the canonical JSON of all its members but `hash` and `source`; `prev`, the hash of the entry before,
is one of them. `source` (address and program of the caller, with a salt) is held by `source_sha256`, so that it can be
erased for good while the chain stays whole.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

Line = dict[str, Any]

FORMAT = 1
BEFORE_FIRST = "0" * 64
_BESIDE_THE_HASH = frozenset({"hash", "source"})


class Fault(StrEnum):
    """What can be wrong at the first place where a log is broken."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    UNLINKED = "unlinked"
    FOREIGN = "foreign"
    SOURCE_CHANGED = "source_changed"
    CUT_OFF = "cut_off"
    BEYOND_HEAD = "beyond_head"
    MALFORMED = "malformed"


@dataclass(frozen=True)
class Link:
    """A place in the chain: the number of an entry and its hash. Before the first it is 0 and 64 zeros."""

    seq: int = 0
    hash: str = BEFORE_FIRST


@dataclass(frozen=True)
class Break:
    """Where a log stops being what was written, and why; `seq` is the number that was due there."""

    seq: int
    fault: Fault
    detail: str


@dataclass(frozen=True)
class Checked:
    """How far a log is whole. `erased` counts the entries whose source is no longer there."""

    last: Link
    erased: int = 0
    broken: Break | None = None


def canonical(value: Any) -> bytes:
    """Return the JSON of RFC 8785 for what entries hold: objects, texts and whole numbers, never null or fractions."""
    _refuse_what_is_not_canonical(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def entry_hash(line: Mapping[str, Any]) -> str:
    """Return what the entry's `hash` has to be."""
    return sha256(canonical({k: v for k, v in line.items() if k not in _BESIDE_THE_HASH})).hexdigest()


def source_hash(source: Mapping[str, Any]) -> str:
    """Return what `source_sha256` has to be for a source."""
    return sha256(canonical(dict(source))).hexdigest()


def check(lines: Iterable[Mapping[str, Any]], tenant_id: str | None = None, after: Link = Link()) -> Checked:
    """Check entries that follow `after` in the order of their log; `tenant_id` None takes that of the first."""
    last, erased = after, 0
    for line in lines:
        tenant_id = tenant_id or line.get("tenant_id")
        broken = _fault(line, last, tenant_id)
        if broken is not None:
            return Checked(last, erased, broken)
        erased += "source" not in line and "source_sha256" in line
        last = Link(line["seq"], line["hash"])
    return Checked(last, erased)


def _fault(line: Mapping[str, Any], last: Link, tenant_id: str | None) -> Break | None:
    due, seq = last.seq + 1, line.get("seq")
    if type(seq) is not int or line.get("v") != FORMAT:
        return Break(due, Fault.MALFORMED, f"this is no entry of format {FORMAT}")
    if seq > due:
        return Break(due, Fault.MISSING, f"entry {seq} stands where {due} is due")
    if seq < due:
        return Break(due, Fault.REORDERED, f"entry {seq} stands where {due} is due")
    if line.get("tenant_id") != tenant_id:
        return Break(due, Fault.FOREIGN, "the entry is of another tenant's log")
    try:
        whole = line.get("hash") == entry_hash(line)
        source_whole = "source" not in line or line.get("source_sha256") == source_hash(line["source"])
    except (TypeError, ValueError):
        return Break(due, Fault.MALFORMED, "the entry holds what no entry can")
    if not whole:
        return Break(due, Fault.CHANGED, "the entry is not what its hash was made of")
    if line.get("prev") != last.hash:
        return Break(due, Fault.UNLINKED, "`prev` is not the hash of the entry before")
    if not source_whole:
        return Break(due, Fault.SOURCE_CHANGED, "`source` is not what `source_sha256` was made of")
    return None


def _refuse_what_is_not_canonical(value: Any) -> None:
    match value:
        case str():
            value.encode()
        case bool():
            raise TypeError("an entry holds no truth values")
        case int() if abs(value) < 1 << 53:
            pass
        case Mapping():
            for name, member in value.items():
                # Sorted by code points is sorted by UTF-16 units, as the RFC asks, for names in ASCII.
                if not (isinstance(name, str) and name.isascii()):
                    raise TypeError("a member's name is ASCII")
                _refuse_what_is_not_canonical(member)
        case _:
            raise TypeError(f"an entry holds no {type(value).__name__}")
