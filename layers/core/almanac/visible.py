"""Which projects and collections a caller sees: all but private ones that it is not a member of.

Those that are private and their members are the rows of one partition per tenant. It is read anew for each decision and
strongly consistently, so whoever is taken out of a project has lost it with the next call. A caller who may see every
project (`projects:all`) costs no read. A member of a private collection may write in it, or only read; a member of a
private project may do in it what it may do in the tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from almanac.access import Permission, Principal
from almanac.aws import keys
from almanac.aws.table import Item, Table
from almanac.ids import is_id


@dataclass(frozen=True)
class Rows:
    """What rows are called: one for a project or collection while it is private, and one for each of its members.

    `owner` is the attribute of both that names it.
    """

    private: str
    member: str
    owner: str


_OF_PROJECTS = Rows("private_project", "project_member", "project_id")
_OF_COLLECTIONS = Rows("private_collection", "collection_member", "collection_id")
_PRIVATE = frozenset({_OF_PROJECTS.private, _OF_COLLECTIONS.private})
_MEMBERS = frozenset({_OF_PROJECTS.member, _OF_COLLECTIONS.member})


def rows_of(owner_id: str) -> Rows:
    """Return what the rows of a project or collection are called."""
    return _OF_COLLECTIONS if is_id(owner_id, "col") else _OF_PROJECTS


def owner_of(row: Mapping[str, Any]) -> str:
    """Return the project or collection that a row is of."""
    return str(row.get(_OF_PROJECTS.owner) or row[_OF_COLLECTIONS.owner])


class Visibility(StrEnum):
    """Who sees a project or collection: the whole tenant, or its members and those who see all."""

    TENANT = "tenant"
    PRIVATE = "private"


class Right(StrEnum):
    """What a member of a private collection may do in it, if it may in the tenant."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class ProjectAccess:
    """One reading of the rows: the private projects and collections that are `hidden` from the caller, and those that
    it is in. Of these it may not write in the `read_only` ones.
    """

    hidden: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()
    everything: bool = False
    read_only: frozenset[str] = frozenset()

    def shows(self, project_id: str, visibility: str | None) -> bool:
        """Tell whether the caller sees a project or collection that is as visible as its own item says.

        Item and rows are read apart. Where they disagree, the project became private or ceased to be in between: then
        it is not shown.
        """
        if self.everything or project_id in self.joined:
            return True
        return project_id not in self.hidden and visibility != Visibility.PRIVATE


EVERYTHING = ProjectAccess(everything=True)


@dataclass(frozen=True)
class Sight:
    """What one caller sees of a tenant. Without a principal it is a worker's, who sees everything."""

    table: Table = field(repr=False)
    principal: Principal | None

    @property
    def unlimited(self) -> bool:
        return self.principal is None or self.principal.may(Permission.PROJECTS_ALL)

    async def access(self) -> ProjectAccess:
        """Return what the caller sees now. Content that was read before this call is judged by it, never later one."""
        if self.principal is None or self.unlimited:
            return EVERYTHING
        partition = keys.private_projects(self.principal.tenant_id)
        return _access([row async for row in self.table.query_all(partition)], self.principal.actor_id)

    async def hidden(self) -> frozenset[str]:
        """Return the projects and collections that the caller does not see now."""
        return (await self.access()).hidden

    async def shows(self, project: Item) -> bool:
        """Tell whether the caller sees a project or collection, by its item as a strongly consistent read gave it."""
        if project.get("visibility", Visibility.TENANT) == Visibility.TENANT:
            return True
        return (await self.access()).shows(project["id"], project["visibility"])


def _access(rows: list[Item], actor_id: str) -> ProjectAccess:
    # A membership is of one private time of its project: a row that an earlier one left behind is of another epoch.
    private: dict[str, Any] = {owner_of(row): row["epoch"] for row in rows if row["entity"] in _PRIVATE}
    mine = {owner_of(row): row for row in rows if row["entity"] in _MEMBERS and row["actor_id"] == actor_id}
    joined = frozenset(name for name, epoch in private.items() if name in mine and mine[name]["epoch"] == epoch)
    read_only = frozenset(name for name in joined if mine[name].get("right") == Right.READ)
    return ProjectAccess(frozenset(private) - joined, joined, read_only=read_only)
