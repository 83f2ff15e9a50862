"""The table's keys of the index and its manifest."""

from almanac.aws.keys.key import ITEM, Key


def index_partition(tenant_id: str) -> str:
    """The manifest of a tenant's indexes. Example: `TENANT#ten_1#INDEX`."""
    return f"TENANT#{tenant_id}#INDEX"


def index_awaiting(tenant_id: str, name: str) -> Key:
    """Sources that are not embedded yet. Example: `TENANT#ten_1#INDEX` / `AWAITING#msg_1`."""
    return Key(index_partition(tenant_id), f"AWAITING#{name}")


def index_drop(tenant_id: str, owner_id: str) -> Key:
    """Example: `TENANT#ten_1#INDEX` / `DROP#prj_1`."""
    return Key(index_partition(tenant_id), f"DROP#{owner_id}")


def index_head(tenant_id: str, repository_id: str) -> Key:
    """Example: `TENANT#ten_1#INDEX` / `HEAD#rep_1`."""
    return Key(index_partition(tenant_id), f"HEAD#{repository_id}")


def index_directory(tenant_id: str) -> Key:
    """Which indexes there are, and which serves. Example: `TENANT#ten_1#INDEX` / `INDEXES`."""
    return Key(index_partition(tenant_id), "INDEXES")


def index_segment(tenant_id: str, index_id: str, sha256: str) -> Key:
    """Example: `TENANT#ten_1#INDEX` / `LOG#local-bge-small-en-v1.5#9f86d0...`."""
    return Key(index_partition(tenant_id), f"LOG#{index_id}#{sha256}")


def index_lost(tenant_id: str, index_id: str, sha256: str) -> Key:
    """A part that cannot be read. Example: `TENANT#ten_1#INDEX` / `LOST#local-bge-small-en-v1.5#9f86d0...`."""
    return Key(index_partition(tenant_id), f"LOST#{index_id}#{sha256}")


def index_tombstones(tenant_id: str, digest: str) -> Key:
    """Example: `TENANT#ten_1#INDEX` / `TOMBSTONES#9f86d0...`."""
    return Key(index_partition(tenant_id), f"TOMBSTONES#{digest}")


def index_version(tenant_id: str, index_id: str, shard: int) -> Key:
    """The snapshot of one shard; sorts last. Example: `TENANT#ten_1#INDEX` / `VERSION#local-bge-small-en-v1.5#00`."""
    return Key(index_partition(tenant_id), f"VERSION#{index_id}#{shard:02d}")


def index_upkeep(tenant_id: str) -> Key:
    """Says when a tenant's indexes are swept next. Example: `TENANT#ten_1#UPKEEP` / `ITEM`."""
    return Key(f"TENANT#{tenant_id}#UPKEEP", ITEM)


def index_build(tenant_id: str, index_id: str) -> Key:
    """How far the filling of an index is. Example: `TENANT#ten_1#BUILDS` / `local-bge-small-en-v1.5`."""
    return Key(f"TENANT#{tenant_id}#BUILDS", index_id)
