"""Which project a repository, a checkpoint or a collection is in, as their items in the table say.

A document in no collection has its project as container: that one is in itself.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Table
from almanac.index.manifest import Awaited, Head, ManifestState

_KEPT = 100_000
Hiding = Callable[[], Awaitable[frozenset[str]]]
"""Returns the projects that somebody does not see. Called after what it is held against was read."""


async def nothing_hidden() -> frozenset[str]:
    """See everything: for whoever works for nobody in particular."""
    return frozenset()


@dataclass(frozen=True)
class Hidden:
    """What a caller does not see: projects and collections, and the repositories and checkpoints in them.

    `projects` are the ids of both.
    """

    projects: frozenset[str]
    containers: frozenset[str]

    def heads(self, state: ManifestState) -> dict[str, Head]:
        """Return where the repositories stand that the caller sees."""
        return {name: head for name, head in state.standing.items() if name not in self.containers}

    def awaited(self, entries: Iterable[Awaited]) -> tuple[Awaited, ...]:
        """Leave out what the caller does not see."""
        return tuple(entry for entry in entries if entry.container_id not in self.containers)


class Containers:
    """Reads each once: none ever moves to another project."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._projects: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def hidden(self, tenant_id: str, state: ManifestState, hiding: Hiding) -> Hidden:
        """Return what of a state, which was read before, somebody does not see."""
        projects = await hiding()
        named = [*state.standing, *(entry.container_id for entry in state.awaiting.values())] if projects else []
        return Hidden(projects, await self.within(tenant_id, named, projects))

    async def within(self, tenant_id: str, containers: Iterable[str], projects: frozenset[str]) -> frozenset[str]:
        """Return the containers that are in one of the projects, or that are gone: of those nothing is known."""
        wanted = list(dict.fromkeys(containers)) if projects else []
        itself = frozenset(name for name in wanted if not name or name in projects or name.startswith("prj_"))
        missing = [name for name in wanted if name not in itself and (tenant_id, name) not in self._projects]
        if missing:
            found = await self._table.batch_get([_key(tenant_id, name) for name in missing], consistent=True)
            self._projects.update(((tenant_id, item["id"]), item["project_id"]) for item in found)
        others = (name for name in wanted if name not in itself)
        inside = {name for name in others if self._projects.get((tenant_id, name)) in {None, *projects}}
        while len(self._projects) > _KEPT:
            self._projects.popitem(last=False)
        return frozenset(inside | (itself & projects))


def _key(tenant_id: str, container_id: str) -> Key:
    build = {"rep": keys.repository, "col": keys.collection}.get(container_id[:3], keys.checkpoint)
    return build(tenant_id, container_id)
