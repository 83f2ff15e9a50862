"""Reading a part of an archive that nobody vouches for: bounded, line by line, each line in its place or refused."""

import base64
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from almanac.aws import keys
from almanac.aws.table import Item
from identity.exports.archive import TENANT
from identity.exports.documents import PIECE_BYTES
from identity.exports.model import Part
from identity.imports.documents import at_rest
from identity.imports.errors import BadArchive
from identity.imports.places import FILE, OBJECT, PLACES

MAX_PART_BYTES = 64 << 20
MAX_EXPANDED_BYTES = 512 << 20
MAX_LINE_BYTES = 16 << 20
MAX_OBJECT_BYTES = 64 << 20
MAX_PIECES = 64
"""Of one file: 512 MB."""
_KEYS = {"pk", "sk", "gsi1pk", "gsi1sk"}


@dataclass(frozen=True)
class Row:
    """A row of the importing tenant."""

    item: Item


@dataclass(frozen=True)
class Object:
    """An object of the importing tenant."""

    key: str
    body: bytes


@dataclass(frozen=True)
class Piece:
    """A piece of an uploaded file, numbered from 0."""

    document_id: str
    version: int
    number: int
    body: bytes


def read(part: Part, body: bytes | None, tenant_id: str) -> Iterator[Row | Object | Piece]:
    """Yield what a part holds for the tenant; rows that imports do not take are left out. Raises `BadArchive`."""
    if body is None:
        raise BadArchive(f"{part.name} was not uploaded")
    if len(body) != part.bytes or hashlib.sha256(body).hexdigest() != part.sha256:
        raise BadArchive(f"{part.name} is not what the manifest says: upload it again")
    number = 0
    for number, line in enumerate(_lines(part, body), 1):
        try:
            found = _line(json.loads(line), tenant_id)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadArchive(f"{part.name}, line {number}: {_told(error)}") from None
        if found is not None:
            yield found
    if number != part.lines:
        raise BadArchive(f"{part.name} has {number} lines and not {part.lines}")


def _lines(part: Part, body: bytes) -> Iterator[bytes]:
    left = MAX_EXPANDED_BYTES
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
        while True:
            try:
                line = stream.readline(MAX_LINE_BYTES + 1)
            except (OSError, EOFError, zlib.error):
                raise BadArchive(f"{part.name} is not gzip, or cut off") from None
            left -= len(line)
            if len(line) > MAX_LINE_BYTES or left < 0:
                raise BadArchive(f"{part.name} expands to more than a part may hold")
            if not line:
                return
            yield line


def _line(document: dict[str, Any], tenant_id: str) -> Row | Object | Piece | None:
    if document.keys() == {"object", "body"}:
        if not OBJECT.fullmatch(document["object"]):
            raise ValueError("an object lies where none may")
        body = base64.b64decode(document["body"], validate=True)
        _check_expands(body)
        return Object(document["object"].replace(TENANT, tenant_id), body)
    if document.keys() == {"file", "piece", "body"}:
        return _piece(document, tenant_id)
    if document.keys() != {"row", "attributes"}:
        raise ValueError("it is neither a row nor an object")
    row, attributes = document["row"], document["attributes"]
    place = PLACES.get(attributes["entity"])
    if place is None:
        return None
    _check_place(row, place)
    if attributes.keys() & (_KEYS | {"gsi2pk", "gsi2sk"}):
        raise ValueError("an attribute is named like a key")
    own = {name: row[name].replace(TENANT, tenant_id) for name in row.keys() & _KEYS}
    plain = {name: _value(value, tenant_id) for name, value in attributes.items()}
    return Row(at_rest({**own, **plain}))


def _piece(document: dict[str, Any], tenant_id: str) -> Piece:
    number, body = document["piece"], base64.b64decode(document["body"], validate=True)
    named = keys.arrived_original(document["file"].replace(TENANT, tenant_id))
    if not FILE.fullmatch(document["file"]) or named is None:
        raise ValueError("a file lies where none may")
    if type(number) is not int or not 0 <= number < MAX_PIECES or not 0 < len(body) <= PIECE_BYTES:
        raise ValueError("it is no piece of a file")
    return Piece(named[1], named[2], number, body)


def _check_expands(body: bytes) -> None:
    """Refuse an object that whoever reads it would have to unpack to more than it may hold."""
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked.decompress(body, MAX_OBJECT_BYTES)
    except zlib.error:
        raise ValueError("an object is not gzip") from None
    if unpacked.unconsumed_tail:
        raise ValueError("an object expands to more than it may hold")


def _check_place(row: dict[str, str], place: tuple[Any, ...]) -> None:
    pk, sk, gsi1pk = place
    fits = pk.fullmatch(row["pk"]) and sk.fullmatch(row["sk"]) and gsi1pk.fullmatch(row.get("gsi1pk", ""))
    if not fits or ("gsi1pk" in row) != ("gsi1sk" in row):
        raise ValueError("a row lies where its kind may not")


def _value(value: Any, tenant_id: str) -> Any:
    match value:
        case str():
            if value.startswith(keys.OBJECTS) and not OBJECT.fullmatch(value):
                raise ValueError("an attribute points out of the tenant")
            named = value == TENANT or value.startswith(keys.OBJECTS)
            return value.replace(TENANT, tenant_id, 1) if named else value
        case dict():
            if value.keys() == {"set"}:
                return {str(member) for member in value["set"]}
            if value.keys() == {"base64"}:
                packed = base64.b64decode(value["base64"], validate=True)
                _check_expands(packed)
                return packed
            if value.keys() == {"map"}:
                return {name: _value(member, tenant_id) for name, member in value["map"].items()}
            return {name: _value(member, tenant_id) for name, member in value.items()}
        case list():
            return [_value(member, tenant_id) for member in value]
    return value


def _told(error: Exception) -> str:
    return str(error) if type(error) is ValueError else "it is not such a line"
