"""What a comparison of an index with its sources found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from almanac.aws import keys
from almanac.aws.table import Put, Table

MOST_DIFFERENCES = 100


@dataclass(frozen=True)
class Difference:
    """One thing that the index and its source disagree about. `source_id` names a source, repository or part.

    `project_id` is None for what is of no project that is known, such as a part, and empty for a document in none.
    `container_id` is a document's collection.
    """

    source_id: str
    kind: str
    problem: str
    expected: str | None = None
    found: str | None = None
    project_id: str | None = None
    container_id: str | None = None

    def tells_of(self, projects: frozenset[str]) -> bool:
        """Tell whether the difference is, or may be, about one of these projects."""
        return bool(projects) and (self.project_id is None or not projects.isdisjoint(self._owners))

    @property
    def _owners(self) -> set[str | None]:
        return {self.project_id, self.container_id}


@dataclass(frozen=True)
class Report:
    """One comparison. `checked` counts what was looked at, by kind; `left_off` are differences beyond the first 100.

    `skipped` says what could not be compared, and why.
    """

    at: str
    index_id: str
    sample: int
    checked: Mapping[str, int]
    differences: list[Difference] = field(default_factory=list)
    left_off: int = 0
    repairs: int = 0
    skipped: list[str] = field(default_factory=list)

    def as_seen(self, hidden: frozenset[str]) -> "Report":
        """Return the report without what tells of hidden projects; its counts are of the whole tenant."""
        return replace(self, differences=[each for each in self.differences if not each.tells_of(hidden)])

    def put(self, tenant_id: str) -> Put:
        """Keep this report as the tenant's last."""
        return Put({**keys.verification(tenant_id).as_dict(), "entity": "verification", **asdict(self)}, overwrite=True)


async def last(table: Table, tenant_id: str) -> Report | None:
    """Return the tenant's last report."""
    item = await table.get(keys.verification(tenant_id))
    if item is None:
        return None
    fields: dict[str, Any] = {name: value for name, value in item.items() if name not in {"pk", "sk", "entity"}}
    return Report(**{**fields, "differences": [Difference(**each) for each in fields["differences"]]})
