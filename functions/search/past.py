"""What `as_of` means: the state of the past to search in, and where the repositories stood then."""

from datetime import datetime

from almanac import moments
from almanac.aws.table import Table
from almanac.index.containers import Containers, Hiding
from almanac.index.history import HeadHistory, Past
from almanac.index.manifest import Manifest
from search.schemas import COMMIT


async def resolve(
    table: Table, containers: Containers, tenant_id: str, hiding: Hiding, as_of: str, now: datetime
) -> Past:
    """Return the state that a commit, a time or an age means. Raises what `HeadHistory.resolve` raises.

    A repository in a project that `hiding` names never stood anywhere.
    """
    state = await Manifest(table, tenant_id).read()
    hidden = await containers.hidden(tenant_id, state, hiding)
    wanted = as_of.lower() if COMMIT.fullmatch(as_of) else moments.parse(as_of, now)
    return await HeadHistory(table, tenant_id).resolve(wanted, hidden.heads(state), now)
