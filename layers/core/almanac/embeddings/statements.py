"""What a document states, in vectors: one row for each document.

The slice that analyses documents writes the texts, the worker that holds the model puts their codes in their place, and
statements of several documents are compared by these. The row is the document's own and goes with it. It holds codes
under their texts' hashes, so that what was stated before is not embedded again.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from almanac.aws import keys
from almanac.aws.table import Delete, Update, Write
from almanac.embeddings.cache import text_hash

COMPARABLE = frozenset({"local-bge-small-en-v1.5"})
"""Slugs of the models that it was measured for how near two statements must be to speak of the same."""
MOST_BYTES = 100_000
"""Of packed texts: with the codes of 600 statements the row stays below 400 KB."""
_NAME_BYTES = 16
_ASCII_SHARE = 0.9


@dataclass(frozen=True)
class Meanings:
    """The codes of a document's statements by the names of their texts; `texts` await theirs, or are None."""

    revision: int
    slug: str = ""
    fingerprint: str = ""
    codes: Mapping[bytes, bytes] = field(default_factory=dict)
    texts: Sequence[str] | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        packed = item.get("texts")
        return cls(
            revision=item["revision"],
            slug=item.get("slug", ""),
            fingerprint=item.get("fingerprint", ""),
            codes=dict(_split(item.get("names", b""), item.get("codes", b""))),
            texts=json.loads(gzip.decompress(packed)) if packed else None,
        )


def are_compared(slug: str) -> bool:
    """Tell whether statements are compared by a model's vectors."""
    return slug in COMPARABLE


def name_of(text: str) -> bytes:
    """Return what a text is called in the row."""
    return bytes.fromhex(text_hash(text))[:_NAME_BYTES]


def asking(tenant_id: str, document_id: str, revision: int, texts: Iterable[str]) -> Write:
    """Return the write that asks for the codes of a revision's statements, unless a later one asked."""
    key = keys.document_meaning(tenant_id, document_id)
    not_later = "attribute_not_exists(#pk) OR #revision <= :revision"
    wanted = [text for text in dict.fromkeys(texts) if _is_read(text)]
    if not wanted:
        return Delete(key, not_later, {":revision": revision})
    while len(packed := _packed(wanted)) > MOST_BYTES:
        wanted = wanted[: len(wanted) // 2]
    row = {"entity": "document_meaning", "document_id": document_id, "revision": revision, "texts": packed}
    return Update(key, row, condition=not_later, values={":revision": revision})


def answering(tenant_id: str, document_id: str, found: Meanings) -> Update:
    """Return the write that puts codes in their texts' place, if the row is still there and waits for them."""
    codes = {
        "slug": found.slug,
        "fingerprint": found.fingerprint,
        "names": b"".join(found.codes),
        "codes": b"".join(found.codes.values()),
    }
    return Update(
        keys.document_meaning(tenant_id, document_id),
        codes,
        remove=["texts"],
        condition="attribute_exists(#texts) AND #revision = :revision",
        values={":revision": found.revision},
    )


def _is_read(text: str) -> bool:
    """Tell whether the models that are compared by can read a text: in other letters, any two are near to them."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(map(str.isascii, letters)) >= _ASCII_SHARE * len(letters) > 0


def _packed(texts: Sequence[str]) -> bytes:
    return gzip.compress(json.dumps(texts, ensure_ascii=False).encode("utf-8", "replace"), mtime=0)


def _split(names: bytes, codes: bytes) -> Iterator[tuple[bytes, bytes]]:
    count = len(names) // _NAME_BYTES
    dimensions = len(codes) // count if count else 0
    for place in range(count):
        name = names[place * _NAME_BYTES : (place + 1) * _NAME_BYTES]
        yield name, codes[place * dimensions : (place + 1) * dimensions]
