"""What every admitted call passes before its route runs: the tenant's wall, its limits, the audit log.

The order matters: nothing of a tenant is read before the wall is made out to it, and a call that the limits refuse
costs no audit entry.
"""

from fastapi import Request

from almanac import tenancy
from almanac.access import Person, Principal
from almanac.limits import admission
from almanac.web import recording


async def admit(request: Request, principal: Principal) -> None:
    """Let a principal's call begin; one that will be refused for want of a permission too, so that it is recorded."""
    tenancy.bind(principal.tenant_id)
    await admission.admit(request, principal)
    await recording.admit(request, principal)


async def admit_person(request: Request, person: Person) -> None:
    """Let the call of a person begin that is for no tenant."""
    await admission.admit_person(request, person)
