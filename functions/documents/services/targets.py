"""Where an expected file goes, and until when.

An address ends with the session that signed it, which lasts an hour at most: so an upload in parts outlives its
addresses, and asking for the document gives new ones.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.clock import iso
from documents.jobs import progress
from documents.model import MAX_BYTES, Document, Upload

ADDRESS_SECONDS = 55 * 60
_UNDER_WAY_SECONDS = 5 * 60
"""Addresses end so long before their upload does: what is under way then still arrives in time."""
PART_BYTES = 16 * 1024 * 1024
_LIFETIMES = {"post": 3600, "multipart": 6 * 3600}


@dataclass(frozen=True)
class Target:
    """Where the file of an upload goes: a form's `url` and `fields`, or the addresses of its parts.

    The addresses serve until `addresses_expire_at`, the file is expected until `expires_at`.
    """

    upload: Upload
    addresses_expire_at: str
    url: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    parts: list[tuple[int, str]] = field(default_factory=list)
    """Of each part its size and its address."""


async def of(blobs: Blobs, tenant_id: str, document: Document) -> Target | None:
    """Return where the file goes that a document expects, None where it expects none any more."""
    upload = document.upload
    left = int(_seconds(upload.expires_at) - time.time()) - _UNDER_WAY_SECONDS if upload else 0
    if upload is None or left <= 0:
        return None
    seconds = min(ADDRESS_SECONDS, left)
    until = iso(time.time() + seconds)
    key = keys.document_original(tenant_id, document.id, upload.version)
    if upload.multipart_id is not None and upload.size is not None:
        sizes = part_sizes(upload.size)
        addresses = await blobs.part_addresses(key, upload.multipart_id, seconds, sizes)
        return Target(upload, until, parts=list(zip(sizes, addresses, strict=True)))
    form = await blobs.form(
        key,
        seconds,
        content_type=upload.content_type,
        sizes=(upload.size or 1, upload.size or MAX_BYTES),
        sha256=upload.sha256,
    )
    return Target(upload, until, form.url, form.fields)


def part_sizes(size: int) -> list[int]:
    """Divide a file into parts, all but the last of one size."""
    full, rest = divmod(size, PART_BYTES)
    return [PART_BYTES] * full + ([rest] if rest else [])


def expiry(since: str, mode: str) -> str:
    """Return until when a file is expected."""
    return iso(_seconds(since) + _LIFETIMES[mode])


def due_without_upload(document: Document) -> str | None:
    """Return when somebody must look at a document for its job alone."""
    return progress.due(document.job if is_at_work(document) else None, None)


def is_at_work(document: Document) -> bool:
    """Tell whether a job of the document runs."""
    return document.job is not None and progress.running(document, document.job.revision) is not None


def earlier(one: str | None, other: str) -> str:
    return min(one, other) if one else other


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
