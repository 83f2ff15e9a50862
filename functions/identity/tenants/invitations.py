"""Who is invited, by address: what sign-up asks before it lets somebody in."""

import time

from almanac.aws import keys
from almanac.aws.table import Table
from identity.tenants.addresses import address_sha256


async def is_invited(table: Table, email: str) -> bool:
    """Tell whether any tenant waits for an answer from this address."""
    # What has expired may lie in the table for days.
    page = await table.query(keys.invited_address(address_sha256(email)))
    return any(item["expires_at"] > time.time() for item in page.items)
