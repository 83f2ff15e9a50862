"""How near the passages of a document are to its middle, by the vectors that the index made of them.

They lie in the tenant's cache since the document was embedded, by the text that they are of. So the meaning costs a
few reads here and no model: neither the layer of the embedded one nor a call to a provider.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import mul

from almanac.aws import keys
from almanac.aws.table import Item, Table
from almanac.embeddings.cache import text_hash
from almanac.index.sources import Source
from almanac.text.chunking import chunk_source, embedding_text

MOST_PASSAGES = 400
_LEAST_KNOWN = 0.5

Passage = tuple[int, int, int, str]
"""A page's number, [start, end) in its text, and the hash of what was embedded."""


def passages(sources: Sequence[tuple[int, Source]]) -> list[Passage]:
    """Return passages of pages, spread evenly over the document. Blocks."""
    step = max(1, len(sources) // MOST_PASSAGES)
    found: list[Passage] = []
    for number, source in sources[::step]:
        found += [(number, chunk.start, chunk.end, text_hash(embedding_text(chunk))) for chunk in chunk_source(source)]
    return found[:: max(1, -(-len(found) // MOST_PASSAGES))]


async def codes(table: Table, tenant_id: str, slug: str, found: Sequence[Passage]) -> list[Item]:
    """Return what the cache has of the passages' vectors."""
    hashes = dict.fromkeys(digest for *_, digest in found)
    return await table.batch_get([keys.vector(tenant_id, slug, digest) for digest in hashes])


def nearness(found: Sequence[Passage], known: Sequence[Item]) -> Mapping[int, list[tuple[int, int, float]]]:
    """Return by page how near its passages are to the middle, 0 to 1; nothing when too few are known. Blocks."""
    if not known or len(known) < _LEAST_KNOWN * len({digest for *_, digest in found}):
        return {}
    # Vectors of another model of the same name cannot be compared.
    ((fingerprint, _),) = Counter(item["fingerprint"] for item in known).most_common(1)
    units = {item["hash"]: _unit(item["code"]) for item in known if item["fingerprint"] == fingerprint}
    middle = [sum(column) for column in zip(*units.values(), strict=True)]
    cosines = {digest: sum(map(mul, unit, middle)) for digest, unit in units.items()}
    low, high = min(cosines.values()), max(cosines.values())
    near: dict[int, list[tuple[int, int, float]]] = {}
    for number, start, end, digest in found:
        if digest in cosines:
            near.setdefault(number, []).append((start, end, (cosines[digest] - low) / max(high - low, 1e-9)))
    return near


def _unit(code: bytes) -> list[float]:
    values = [byte - 256 if byte > 127 else byte for byte in code]
    length = math.sqrt(sum(map(mul, values, values))) or 1.0
    return [value / length for value in values]
