"""Who is calling: the caller that the request authorizer vouched for, as a type in a route's signature.

Each alias says what its route needs: `Reader` content:read, `Editor` content:write; a slice makes its own with `needs`.
`SignedIn` is a person who need not have chosen a tenant. Whoever passes goes through `almanac.web.guard` first.
"""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from almanac.access import TENANT_HEADER, Caller, Permission, Person, Principal
from almanac.errors import Forbidden, Unauthorized
from almanac.web import guard


class MissingPrincipal(Unauthorized):
    """No authorizer vouched for the request."""

    code = "missing_credentials"


class TenantNotChosen(Forbidden):
    """A person calls who belongs to several tenants, or to none, and named none."""

    code = "tenant_not_chosen"


class InsufficientPermission(Forbidden):
    """The caller is known and may not do this."""

    code = "insufficient_permission"


class PersonRequired(Forbidden):
    """An API key calls what only a signed-in person may."""

    code = "person_required"


_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Bearer",
    description="`Authorization: Bearer ...` with an access token of a person, or an API key `alm_...`.",
)
_Documented = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def caller_of(event: dict[str, Any]) -> Caller:
    """Read the authorizer's context from an API Gateway event (payload 2.0)."""
    return Caller.from_context(event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {})


def vouched(dependency: Any) -> Any:
    """Mark a dependency that refuses whom the authorizer did not vouch for."""
    dependency.vouched = True
    return dependency


def needs(permission: Permission) -> Any:
    """Return the marker of a parameter that takes the principal and refuses one without `permission`."""

    # The bearer scheme only puts the requirement into the OpenAPI document: the authorizer has checked the token.
    async def dependency(request: Request, _: _Documented) -> Principal:
        caller = caller_of(request.scope.get("aws.event", {}))
        principal = caller.principal
        if principal is None:
            if caller.person is not None:
                raise TenantNotChosen(f"Say which tenant you mean: send its id as the header `{TENANT_HEADER}`.")
            raise MissingPrincipal("Send an access token or an API key: `Authorization: Bearer ...`.")
        await guard.admit(request, principal)
        if not principal.may(permission):
            who = f"the role `{principal.role}`" if principal.role else "this key"
            raise InsufficientPermission(f"The call needs the permission `{permission}`, which {who} does not have.")
        return principal

    return Depends(vouched(dependency))


@vouched
async def _signed_in(request: Request, _: _Documented) -> Person:
    caller = caller_of(request.scope.get("aws.event", {}))
    if caller.person is None:
        if caller.principal is not None:
            raise PersonRequired("An API key cannot do this: sign in.")
        raise MissingPrincipal("Send an access token: `Authorization: Bearer ...`.")
    await guard.admit_person(request, caller.person)
    return caller.person


# One marker each: FastAPI obeys only the last of several in one `Annotated`.
Reader = Annotated[Principal, needs(Permission.CONTENT_READ)]
Editor = Annotated[Principal, needs(Permission.CONTENT_WRITE)]
SignedIn = Annotated[Person, Depends(_signed_in)]
