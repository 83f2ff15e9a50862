"""The archive's lines, as docs/export-format.md describes them."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Any

from almanac.aws import keys
from almanac.aws.table import Item
from identity.exports.entities import PLAIN_ATTRIBUTES, SECRET_ATTRIBUTES
from identity.exports.model import FORMAT, Export, Part

TENANT = "{tenant}"
_GZIP = zlib.MAX_WBITS | 16
_STANDING = ({"base64"}, {"set"}, {"map"})
_KEYS = frozenset({"pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"})


def row_line(item: Item, tenant_id: str) -> str:
    """Return a row: its keys with the tenant's id as `{tenant}`, and its attributes without secrets."""
    given = {name: value for name, value in item.items() if not _secret(str(item["entity"]), name, value)}
    attributes = {name: _plain(value, tenant_id) for name, value in given.items() if name not in _KEYS}
    own = {name: str(item[name]).replace(tenant_id, TENANT) for name in sorted(_KEYS & item.keys())}
    return _line({"row": own, "attributes": attributes})


def object_line(key: str, body: bytes, tenant_id: str) -> str:
    """Return an object: its key with the tenant's id as `{tenant}`, and its bytes."""
    return _line({"object": key.replace(tenant_id, TENANT), "body": base64.b64encode(body).decode()})


def piece_line(key: str, piece: int, body: bytes, tenant_id: str) -> str:
    """Return a piece of an uploaded file, numbered from 0: the file's key, as an object's, and the piece's bytes."""
    given = {"file": key.replace(tenant_id, TENANT), "piece": piece}
    return _line({**given, "body": base64.b64encode(body).decode()})


def pack(lines: list[str], number: int, *, files: bool = False) -> tuple[Part, bytes]:
    """Return a part and its bytes: the same lines are the same bytes.

    `files` hold little that repeats: not to look for that takes a third of the time, and gives back what base64 took.
    """
    strategy = zlib.Z_HUFFMAN_ONLY if files else zlib.Z_DEFAULT_STRATEGY
    packing = zlib.compressobj(6, zlib.DEFLATED, _GZIP, zlib.DEF_MEM_LEVEL, strategy)
    body = packing.compress("".join(lines).encode()) + packing.flush()
    return Part(number, hashlib.sha256(body).hexdigest(), len(body), len(lines)), body


def manifest(export: Export) -> bytes:
    """Return manifest.json of a whole archive."""
    parts = [{"name": p.name, "sha256": p.sha256, "bytes": p.bytes, "lines": p.lines} for p in export.parts]
    document = {
        "format": FORMAT,
        "tenant_id": export.tenant_id,
        "began_at": export.asked_at,
        "ended_at": export.done_at,
        "counts": dict(sorted(export.counts.items())),
        "parts": parts,
    }
    return json.dumps(document, indent=2).encode()


def objects_of(item: Item) -> list[str]:
    """Return the keys of the objects that a row keeps its content in."""
    prefix = keys.tenant_prefix(keys.tenant_of(item["pk"]))
    return [value for value in item.values() if isinstance(value, str) and value.startswith(prefix)]


def _secret(entity: str, name: str, value: Any) -> bool:
    if (entity, name) in PLAIN_ATTRIBUTES:
        return False
    values = value if isinstance(value, list) else [value]
    return name in SECRET_ATTRIBUTES or any(isinstance(each, bytes) for each in values)


def _plain(value: Any, tenant_id: str) -> Any:
    match value:
        case str():
            prefix = keys.tenant_prefix(tenant_id)
            return value.replace(tenant_id, TENANT, 1) if value.startswith(prefix) or value == tenant_id else value
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case set() | frozenset():
            return {"set": sorted(value)}
        case Mapping():
            kept = {name: member for name, member in value.items() if not isinstance(member, bytes)}
            plain = {name: _plain(member, tenant_id) for name, member in kept.items()}
            # A map that somebody wrote must not be taken for what stands for something else.
            return {"map": plain} if plain.keys() in _STANDING else plain
        case list():
            return [_plain(member, tenant_id) for member in value]
    return value


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
