"""Zip files, whose directory is not believed: what office files lie in, and archives."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from documents.reading import markup
from documents.reading.markup import Event
from documents.reading.units import Task, Trouble

_HARMLESS_BYTES = 10 * 2**20
"""A member that unpacks to no more may be as well packed as it likes."""
_CHUNK = 64 * 1024
_LOOKED_AT = 4 * 2**20
_MOST_PARTS = 20_000
_ENCRYPTED = 0x1

BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError)


class SupportsRead(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file whose members do not lie upon each other; raises `Trouble`."""
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN:
        raise Trouble("corrupt") from None
    with archive:
        size = path.stat().st_size
        if sum(member.compress_size for member in archive.infolist()) > size:
            raise Trouble("hostile", "Its members lie upon each other.")
        yield archive


def check(task: Task) -> list[str]:
    """Return the names in an office file after measuring what it unpacks to, for a parser that trusts it."""
    with opened(task.path) as archive:
        members = archive.infolist()
        if len(members) > _MOST_PARTS:
            raise Trouble("hostile", "It holds too many parts.")
        for member in members:
            if member.flag_bits & _ENCRYPTED:
                raise Trouble("encrypted")
            check_ratio(task, member.file_size, member.compress_size)
            task.budget.expand(member.file_size)
            if member.filename.endswith((".xml", ".xhtml", ".html", ".rels", ".ncx", ".opf")):
                check_markup(archive, member)
        return [member.filename for member in members]


def check_ratio(task: Task, size: int, packed: int) -> None:
    if size > _HARMLESS_BYTES and size > task.limits["ratio"] * max(packed, 1):
        raise Trouble("hostile", "It unpacks to far more than it is.")


def check_markup(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse XML that declares entities of its own, which no office program writes, or that nests too deeply."""
    try:
        with archive.open(member) as file:
            head = file.read(_LOOKED_AT)
    except (*BROKEN, RuntimeError):
        return
    if b"<!ENTITY" in head[:_CHUNK].replace(b"\0", b""):
        raise Trouble("hostile", "Its XML declares entities.")
    if markup.is_nested_deeply(head):
        raise Trouble("hostile", "It is nested too deeply.")


def gunzipped(task: Task, file: SupportsRead, packed: int) -> Iterator[bytes]:
    """Yield what a gzip file unpacks to, all that is there of one that breaks off; raises `EOFError` behind that."""
    size = 0
    unpacker = zlib.decompressobj(wbits=31)
    while data := file.read(_CHUNK):
        while data:
            out = unpacker.decompress(data, _CHUNK)
            size += len(out)
            task.budget.expand(len(out))
            check_ratio(task, size, packed)
            yield out
            data = unpacker.unconsumed_tail
            if unpacker.eof:
                data = unpacker.unused_data.lstrip(b"\0")
                unpacker = zlib.decompressobj(wbits=31) if data else unpacker
                if not data:
                    break
    if not unpacker.eof:
        raise EOFError


def events(archive: zipfile.ZipFile, part: str) -> Iterator[Event]:
    """Yield the events of a part of XML, none of one that is missing; raises `Trouble`."""
    if part not in archive.NameToInfo:
        return
    try:
        with archive.open(part) as file:
            yield from markup.events(iter(lambda: file.read(_CHUNK), b""))
    except (*BROKEN, RuntimeError, zlib.error):
        raise Trouble("corrupt") from None


def chunks(task: Task, file: SupportsRead, packed: int = 0) -> Iterator[bytes]:
    """Yield what a member unpacks to, counted; `packed` is its size in the file, 0 for unknown."""
    size = 0
    while data := file.read(_CHUNK):
        size += len(data)
        task.budget.expand(len(data))
        if packed:
            check_ratio(task, size, packed)
        yield data
