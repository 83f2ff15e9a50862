"""Put every stored secret into a new envelope under another KMS key: `python -m infra.rewrap_secrets`.

For a stack whose `TokenKey` is replaced, or for secrets that were encrypted before there were envelopes. KMS's yearly
rotation needs none of this. Run it with credentials that may use both keys and write the table, right after the stack
with the new key is deployed: until then functions cannot open what the old key closed, so deliveries are refused (and
sent again) and syncs fail (and are tried again). It can be repeated, and passes over what is done. Sessions of people
are left out: they end, and people sign in again.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from almanac.accounts import resource_of
from almanac.aws import keys
from almanac.aws.clients import Clients
from almanac.aws.secrets import BrokenEnvelope, Secrets, is_envelope
from almanac.aws.table import ConditionFailed, Item, Table, Update, plain

ATTRIBUTES = {
    "repository": "token_cipher",
    "hook": "secrets_cipher",
    "provider_key": "cipher",
    "finding_key": "cipher",
}
"""Which attribute of an item is an envelope, or a list of them, by its entity."""

Wrap = Callable[[bytes, str, str], Awaitable[bytes]]


@dataclass
class Done:
    wrapped: int = 0
    changed_meanwhile: int = 0
    unreadable: int = 0


async def rewrap(table: Table, items: AsyncIterator[Item], wrap: Wrap) -> Done:
    """Wrap the secrets of items anew; what somebody changes at the same time is left for the next run."""
    done = Done()
    async for item in items:
        name = ATTRIBUTES.get(item.get("entity", ""))
        old = item.get(name) if name else None
        if not name or not old:
            continue
        tenant_id, resource_id = keys.tenant_of(item["pk"]), _resource(item)
        try:
            if isinstance(old, list):
                new: Any = [await wrap(cipher, tenant_id, resource_id) for cipher in old]
            else:
                new = await wrap(old, tenant_id, resource_id)
        except BrokenEnvelope:
            done.unreadable += 1
            continue
        if new == old:
            continue
        same = Update(
            keys.Key(item["pk"], item["sk"]), set={name: new}, condition=f"#{name} = :old", values={":old": old}
        )
        try:
            await table.write(same)
        except ConditionFailed:
            done.changed_meanwhile += 1
        else:
            done.wrapped += 1
    return done


def _resource(item: Item) -> str:
    """Return what the item's envelopes are bound to, beside the tenant."""
    match item["entity"]:
        case "provider_key":
            return resource_of(item["provider"])
        case "finding_key":
            return "findings"
    return str(item["pk"].rpartition("#")[2])


async def _scan(clients: Clients, table: str) -> AsyncIterator[Item]:
    client = await clients.get("dynamodb")
    async for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            yield plain(item)


async def _run(table: str, old: str | None, new: str) -> Done:
    clients = Clients()
    secrets = Secrets(new, clients, [old] if old else [])
    current = Secrets(new, clients)

    async def wrap(cipher: bytes, tenant_id: str, resource_id: str) -> bytes:
        if is_envelope(cipher) and await _opens(current, cipher, tenant_id, resource_id):
            return cipher
        return await secrets.rewrapped(cipher, tenant_id=tenant_id, resource_id=resource_id)

    try:
        return await rewrap(Table(table, clients), _scan(clients, table), wrap)
    finally:
        await clients.close()


async def _opens(secrets: Secrets, cipher: bytes, tenant_id: str, resource_id: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        await secrets.decrypt(cipher, tenant_id=tenant_id, resource_id=resource_id)
    except ClientError:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Wrap every stored secret anew under another KMS key.")
    parser.add_argument("--table", required=True, help="the stack's table")
    parser.add_argument("--to", required=True, dest="new", help="the KMS key that functions use from now on")
    parser.add_argument("--from", dest="old", help="the key that they used before; none: only the old form is replaced")
    parser.add_argument("--yes", action="store_true", help="write")
    arguments = parser.parse_args()
    if not arguments.yes:
        print("This writes every secret of the table anew. Run it again with --yes.", file=sys.stderr)
        return 2
    done = asyncio.run(_run(arguments.table, arguments.old, arguments.new))
    print(f"wrapped {done.wrapped}, changed meanwhile {done.changed_meanwhile}, unreadable {done.unreadable}")
    return 1 if done.unreadable or done.changed_meanwhile else 0


if __name__ == "__main__":
    sys.exit(main())
