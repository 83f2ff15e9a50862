"""Who is calling: the principal that the request authorizer vouched for, as a type in a route's signature."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from almanac.errors import Forbidden, Unauthorized
from almanac.scopes import Scope


@dataclass(frozen=True)
class Principal:
    """A caller: the tenant that it belongs to, the key that it used, and what that key may do."""

    tenant_id: str
    key_id: str
    scope: Scope


class MissingPrincipal(Unauthorized):
    """No authorizer vouched for the request."""

    code = "missing_credentials"


class InsufficientScope(Forbidden):
    """The key is valid and may not do this."""

    code = "insufficient_scope"


_bearer = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="An API key: `Authorization: Bearer alm_...`")
_Documented = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def principal_of(event: dict[str, Any]) -> Principal | None:
    """Read the authorizer's context from an API Gateway event (payload 2.0)."""
    context = event.get("requestContext", {}).get("authorizer", {}).get("lambda") or {}
    if not context.get("tenant_id"):
        return None
    return Principal(context["tenant_id"], context["key_id"], Scope(context["scope"]))


def _require(scope: Scope) -> Any:
    # The bearer scheme only puts the requirement into the OpenAPI document: the authorizer has checked the key.
    async def dependency(request: Request, _: _Documented) -> Principal:
        principal = principal_of(request.scope.get("aws.event", {}))
        if principal is None:
            raise MissingPrincipal("Send an API key: `Authorization: Bearer alm_...`.")
        if not principal.scope.includes(scope):
            raise InsufficientScope(f"This key has the scope `{principal.scope}`; the call needs `{scope}`.")
        return principal

    return dependency


# One marker each: FastAPI obeys only the last of several in one `Annotated`.
Reader = Annotated[Principal, Depends(_require(Scope.READ))]
Editor = Annotated[Principal, Depends(_require(Scope.WRITE))]
Admin = Annotated[Principal, Depends(_require(Scope.ADMIN))]
