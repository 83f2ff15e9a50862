"""Audit entries of calls that no tenant was named for: the tenant founded or entered is known inside the route only."""

from collections.abc import Callable, Sequence

from fastapi import Request

from almanac.access import Person
from almanac.audit import trail
from almanac.aws.table import Write
from almanac.web import recording

# From a tenant's id to the writes of its entry, which belong into the transaction of the change.
Entry = Callable[[str], Sequence[Write]]


def entry_of(request: Request, person: Person, status: int) -> Entry:
    """Return what writes the entry of a person's call that will answer with `status`."""
    given = {"id": person.id, "session_id": person.session_id}
    actor = {name: value for name, value in given.items() if value}

    def entry(tenant_id: str) -> Sequence[Write]:
        return trail.with_change(recording.call_of(request, tenant_id, actor), status)

    return entry
