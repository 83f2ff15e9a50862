"""What `as_of` and `version` mean: the state of the past to search in, and where the repositories stood then."""

from datetime import datetime

from almanac import moments
from almanac.access import Principal
from almanac.aws.table import Table
from almanac.index.containers import Containers, Hiding
from almanac.index.history import AmbiguousCommit, CommitNotIndexed, HeadHistory, Past
from almanac.index.manifest import Manifest
from almanac.visible import Sight
from search import versions
from search.errors import InvalidVersion
from search.schemas import COMMIT, Narrowed


async def of_request(
    table: Table, containers: Containers, principal: Principal, request: Narrowed, now: datetime, place: str
) -> Past | None:
    """Return the state that a request asks about, None for the present; errors name the field under `place`.

    Raises what `resolve` and `versions.moment_of` raise, or `InvalidVersion`.
    """
    tenant_id, hiding = principal.tenant_id, Sight(table, principal).hidden
    if request.version is not None:
        named = set(request.document)
        if len(named) != 1 or request.as_of:
            raise InvalidVersion(field=f"{place}.version")
        moment = await versions.moment_of(table, principal, named.pop(), request.version, f"{place}.version")
        return await resolve(table, containers, tenant_id, hiding, moment, now)
    if request.as_of is None:
        return None
    wanted = request.as_of.lower() if COMMIT.fullmatch(request.as_of) else moments.parse(request.as_of, now)
    try:
        return await resolve(table, containers, tenant_id, hiding, wanted, now)
    except (CommitNotIndexed, AmbiguousCommit) as error:
        error.field = f"{place}.as_of"
        raise


async def resolve(
    table: Table, containers: Containers, tenant_id: str, hiding: Hiding, wanted: str | datetime, now: datetime
) -> Past:
    """Return the state that a commit or a time means. Raises what `HeadHistory.resolve` raises.

    A repository in a project that `hiding` names never stood anywhere.
    """
    state = await Manifest(table, tenant_id).read()
    hidden = await containers.hidden(tenant_id, state, hiding)
    return await HeadHistory(table, tenant_id).resolve(wanted, hidden.heads(state), now)
