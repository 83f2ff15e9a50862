"""Which projects a caller sees: all but private ones that it is not a member of.

Private projects and their members are the rows of one partition per tenant. It is read anew for each decision and
strongly consistently, so whoever is taken out of a project has lost it with the next call. A caller who may see every
project (`projects:all`) costs no read.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from almanac.access import Permission, Principal
from almanac.aws import keys
from almanac.aws.table import Item, Table

PROJECT, MEMBER = "private_project", "project_member"
"""The rows: a project while it is private, and one for each of its members."""


class Visibility(StrEnum):
    """Who sees a project: the whole tenant, or its members and those who see all."""

    TENANT = "tenant"
    PRIVATE = "private"


@dataclass(frozen=True)
class ProjectAccess:
    """One reading of the rows: the private projects that are `hidden` from the caller, and those that it is in."""

    hidden: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()
    everything: bool = False

    def shows(self, project_id: str, visibility: str | None) -> bool:
        """Tell whether the caller sees a project that is as visible as its own item says.

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
        """Return the projects that the caller does not see now."""
        return (await self.access()).hidden

    async def shows(self, project: Item) -> bool:
        """Tell whether the caller sees a project, given its item as a strongly consistent read gave it."""
        if project.get("visibility", Visibility.TENANT) == Visibility.TENANT:
            return True
        return (await self.access()).shows(project["id"], project["visibility"])


def _access(rows: list[Item], actor_id: str) -> ProjectAccess:
    # A membership is of one private time of its project: a row that an earlier one left behind is of another epoch.
    private: dict[str, Any] = {row["project_id"]: row["epoch"] for row in rows if row["entity"] == PROJECT}
    mine = {row["project_id"]: row["epoch"] for row in rows if row["entity"] == MEMBER and row["actor_id"] == actor_id}
    joined = frozenset(name for name, epoch in private.items() if mine.get(name) == epoch)
    return ProjectAccess(frozenset(private) - joined, joined)
