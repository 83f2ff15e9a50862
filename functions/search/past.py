"""What `as_of` means: the state of the past to search in, and where the repositories stood then."""

from datetime import datetime

from almanac import moments
from almanac.aws.table import Table
from almanac.index.history import HeadHistory, Past
from almanac.index.manifest import Manifest
from search.schemas import COMMIT


async def resolve(table: Table, tenant_id: str, as_of: str, now: datetime) -> Past:
    """Return the state that a commit, a time or an age means. Raises what `HeadHistory.resolve` raises."""
    state = await Manifest(table, tenant_id).read()
    wanted = as_of.lower() if COMMIT.fullmatch(as_of) else moments.parse(as_of, now)
    return await HeadHistory(table, tenant_id).resolve(wanted, state.standing, now)
