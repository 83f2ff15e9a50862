"""An index in shards: each holds the sources that hash to it, and all of them together answer like one index."""

import hashlib


def shard_of(source_id: str, shards: int) -> int:
    """Return which of `shards` holds a source: from 0, uniform, and the same for ever."""
    if shards < 1:
        raise ValueError("an index has at least one shard")
    digest = hashlib.blake2b(
        source_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"almanac-shard"
    ).digest()
    # The upper bits of a product instead of a remainder: as uniform, and every bit of the hash counts.
    return int.from_bytes(digest, "big") * shards >> 64
