"""How far the filling of an index is: one item per index, written by the build, read by whoever waits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from almanac.aws import keys
from almanac.aws.table import Delete, Item, Put, Table
from almanac.clock import now

Origin = Literal["index", "sources"]


@dataclass(frozen=True)
class Build:
    """A filling of an index: `total` sources are shown by the serving index, `done` of them by this one.

    `missing` are those it lacks, `unexpected` those that it shows and should not. `chunks` were written, `embedded` of
    them went through the model. `ready` says that nothing was missing at `checked_at`. `runs` are those that the
    repositories stood at when the build began.
    """

    index_id: str
    origin: Origin
    started_at: str
    total: int = 0
    done: int = 0
    missing: int = 0
    unexpected: int = 0
    chunks: int = 0
    embedded: int = 0
    ready: bool = False
    checked_at: str | None = None
    runs: Mapping[str, int] = field(default_factory=dict)
    error_code: str | None = None
    error_cause: str | None = None
    error_at: str | None = None

    def failed(self, code: str, cause: str) -> "Build":
        return replace(self, ready=False, error_code=code, error_cause=cause, error_at=now())

    def compared(self, total: int, missing: int, unexpected: int) -> "Build":
        """Return the build after its index was compared with the serving one."""
        return replace(
            self,
            total=total,
            done=total - missing,
            missing=missing,
            unexpected=unexpected,
            ready=not missing and not unexpected,
            checked_at=now(),
        )


class Builds:
    """One tenant's builds."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def get(self, index_id: str) -> Build | None:
        item = await self._table.get(keys.index_build(self._tenant_id, index_id))
        return _read(item) if item else None

    def put(self, build: Build) -> Put:
        """Write how far a build is; the last one to write is right."""
        key = keys.index_build(self._tenant_id, build.index_id)
        return Put({**key.as_dict(), "entity": "index_build", **asdict(build)}, overwrite=True)

    def remove(self, index_id: str) -> Delete:
        return Delete(keys.index_build(self._tenant_id, index_id))


def _read(item: Item) -> Build:
    return Build(**{name: value for name, value in item.items() if name not in {"pk", "sk", "entity"}})
