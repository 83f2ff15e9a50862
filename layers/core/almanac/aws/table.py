"""The one DynamoDB table: typed writes, conditions that say what failed, transactions and queries.

Writes are values (`Put`, `Update`, `Delete`, `Check`), so that a repository can hand one to a transaction of another.
A condition names attributes as `#name` and values as `:name`; the wrapper registers both.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from almanac.aws.clients import Clients, error_code
from almanac.aws.keys import Key
from almanac.errors import RetryableError

Item = dict[str, Any]
_NAME = re.compile(r"#(\w+)")
_TRANSACTION_LIMIT = 100
_BATCH_GET_LIMIT = 100
_BATCH_WRITE_LIMIT = 25


class ConditionFailed(Exception):
    """A conditional write was refused. `position` is its place in the transaction, `item` what stood there before."""

    def __init__(self, position: int, item: Item | None) -> None:
        super().__init__(f"condition of write {position} failed")
        self.position = position
        self.item = item


@dataclass(frozen=True)
class Put:
    """Write a whole item. Without a condition it must not exist yet; `overwrite=True` replaces what is there."""

    item: Item
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False

    def request(self, table: str) -> dict[str, Any]:
        condition = self.condition or (None if self.overwrite else "attribute_not_exists(#pk)")
        return {"Put": {"TableName": table, "Item": dynamo(self.item), **_expression(condition, self.values)}}


@dataclass(frozen=True)
class Update:
    """Change attributes of an item, which must exist unless the condition says otherwise.

    Setting an attribute to None removes it, as a whole item leaves out what is None.
    """

    key: Key
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    add: Mapping[str, int] = field(default_factory=dict)
    condition: str = "attribute_exists(#pk)"
    values: Mapping[str, Any] = field(default_factory=dict)

    def request(self, table: str) -> dict[str, Any]:
        clauses: list[str] = []
        values = dict(self.values)
        given = {name: value for name, value in self.set.items() if value is not None}
        removed = [*self.remove, *(name for name in self.set if name not in given)]
        for verb, changes, joint in (("SET", given, " = "), ("ADD", self.add, " ")):
            if changes:
                clauses.append(verb + " " + ", ".join(f"#{name}{joint}:_{name}" for name in changes))
                values |= {f":_{name}": value for name, value in changes.items()}
        if removed:
            clauses.append("REMOVE " + ", ".join(f"#{name}" for name in removed))
        update = " ".join(clauses)
        arguments = _expression(self.condition, values, also=update)
        return {
            "Update": {"TableName": table, "Key": dynamo(self.key.as_dict()), "UpdateExpression": update, **arguments}
        }


@dataclass(frozen=True)
class Delete:
    """Remove an item; without a condition it may be gone already."""

    key: Key
    condition: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def request(self, table: str) -> dict[str, Any]:
        arguments = _expression(self.condition, self.values)
        return {"Delete": {"TableName": table, "Key": dynamo(self.key.as_dict()), **arguments}}


@dataclass(frozen=True)
class Check:
    """Let a transaction depend on an item that it does not write."""

    key: Key
    condition: str = "attribute_exists(#pk)"
    values: Mapping[str, Any] = field(default_factory=dict)

    def request(self, table: str) -> dict[str, Any]:
        arguments = _expression(self.condition, self.values)
        return {"ConditionCheck": {"TableName": table, "Key": dynamo(self.key.as_dict()), **arguments}}


Write = Put | Update | Delete | Check


@dataclass(frozen=True)
class Page:
    """One page of a query; `last_key` continues it, None when the partition is read to its end."""

    items: list[Item]
    last_key: Item | None


class Table:
    """Reads and writes of the stack's table."""

    def __init__(self, name: str, clients: Clients) -> None:
        self.name = name
        self._clients = clients

    async def prepare(self) -> None:
        """Open the client, which takes a moment the first time."""
        await self._clients.get("dynamodb")

    async def get(self, key: Key, *, consistent: bool = True) -> Item | None:
        """Return the item, or None. Reads see every acknowledged write unless `consistent` is False."""
        client = await self._clients.get("dynamodb")
        answer = await client.get_item(TableName=self.name, Key=dynamo(key.as_dict()), ConsistentRead=consistent)
        return plain(answer["Item"]) if "Item" in answer else None

    async def write(self, write: Write) -> Item | None:
        """Carry out one write; raises `ConditionFailed`. An update answers with the item as it is afterwards."""
        ((operation, arguments),) = write.request(self.name).items()
        if operation == "ConditionCheck":
            raise TypeError("a check belongs in a transaction")
        if operation == "Update":
            arguments["ReturnValues"] = "ALL_NEW"
        client = await self._clients.get("dynamodb")
        calls = {"Put": client.put_item, "Update": client.update_item, "Delete": client.delete_item}
        try:
            answer = await calls[operation](**arguments)
        except Exception as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            old = getattr(error, "response", {}).get("Item")
            raise ConditionFailed(0, plain(old) if old else None) from None
        return plain(answer["Attributes"]) if "Attributes" in answer else None

    async def transact(self, writes: Sequence[Write]) -> None:
        """Carry out all writes or none; raises `ConditionFailed` for the first refused condition.

        A conflict with another transaction is tried again a few times, then raised as `RetryableError`.
        """
        if len(writes) > _TRANSACTION_LIMIT:
            raise ValueError(f"a transaction holds at most {_TRANSACTION_LIMIT} writes, not {len(writes)}")
        client = await self._clients.get("dynamodb")
        requests = [write.request(self.name) for write in writes]
        for attempt in range(6):
            try:
                await client.transact_write_items(TransactItems=requests)
            except Exception as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                _raise_condition(getattr(error, "response", {}).get("CancellationReasons", []))
                # Spread out: those that met once would meet again.
                await asyncio.sleep(random.uniform(0.5, 1.5) * 0.02 * 2**attempt)  # noqa: S311 - no secret
            else:
                return
        raise RetryableError("the transaction kept conflicting with others")

    async def query(
        self,
        partition: str,
        *,
        prefix: str = "",
        after: Item | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        index: str | None = None,
        until: str | None = None,
    ) -> Page:
        """Return one page of a partition in key order; base-table reads are strongly consistent.

        `prefix` narrows the sort key, `until` bounds it from above (inclusive); `index` reads a secondary index.
        """
        hash_name, range_name = {None: ("pk", "sk"), "children": ("gsi1pk", "gsi1sk"), "due": ("gsi2pk", "gsi2sk")}[
            index
        ]
        condition, values = f"{hash_name} = :partition", {":partition": partition}
        if prefix:
            condition, values = f"{condition} AND begins_with({range_name}, :prefix)", {**values, ":prefix": prefix}
        elif until:
            condition, values = f"{condition} AND {range_name} <= :until", {**values, ":until": until}
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": dynamo(values),
            "ScanIndexForward": not newest_first,
        }
        arguments |= {"IndexName": index} if index else {"ConsistentRead": True}
        arguments |= {"ExclusiveStartKey": dynamo(after)} if after else {}
        arguments |= {"Limit": limit} if limit else {}
        client = await self._clients.get("dynamodb")
        answer = await client.query(**arguments)
        last = answer.get("LastEvaluatedKey")
        return Page([plain(item) for item in answer["Items"]], plain(last) if last else None)

    async def query_all(self, partition: str, *, prefix: str = "", index: str | None = None) -> AsyncIterator[Item]:
        """Iterate over a whole partition, page by page."""
        after: Item | None = None
        while True:
            page = await self.query(partition, prefix=prefix, after=after, index=index)
            for item in page.items:
                yield item
            if page.last_key is None:
                return
            after = page.last_key

    async def find(self, name: str, after: Item | None = None) -> Page:
        """Return the keys and entities of items anywhere in the table that name something in a key or as their tenant.

        One page of a scan: it reads the whole table, whoever's, and is for what must be complete by construction. Of
        the items only `pk`, `sk` and `entity` are returned.
        """
        arguments: dict[str, Any] = {
            "TableName": self.name,
            "Select": "SPECIFIC_ATTRIBUTES",
            "ProjectionExpression": "pk, sk, entity",
            "FilterExpression": "contains(pk, :name) OR contains(sk, :name) OR tenant_id = :name",
            "ExpressionAttributeValues": dynamo({":name": name}),
            "ConsistentRead": True,
        }
        arguments |= {"ExclusiveStartKey": dynamo(after)} if after else {}
        client = await self._clients.get("dynamodb")
        answer = await client.scan(**arguments)
        last = answer.get("LastEvaluatedKey")
        return Page([plain(item) for item in answer["Items"]], plain(last) if last else None)

    async def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[Item]:
        """Return the items that exist, in no particular order."""
        client = await self._clients.get("dynamodb")
        found: list[Item] = []
        for start in range(0, len(keys), _BATCH_GET_LIMIT):
            wanted = [dynamo(key.as_dict()) for key in keys[start : start + _BATCH_GET_LIMIT]]
            request: dict[str, Any] = {self.name: {"Keys": wanted, "ConsistentRead": consistent}}
            for attempt in range(8):
                answer = await client.batch_get_item(RequestItems=request)
                found += [plain(item) for item in answer["Responses"].get(self.name, [])]
                request = answer.get("UnprocessedKeys") or {}
                if not request:
                    break
                await asyncio.sleep(0.05 * 2**attempt)
            else:
                raise RetryableError("the table is throttling reads")
        return found

    async def batch_put(self, items: Iterable[Item]) -> None:
        """Write whole items without conditions, in no particular order: for items that their key determines."""
        await self._batch_write([{"PutRequest": {"Item": dynamo(item)}} for item in items])

    async def batch_delete(self, keys: Iterable[Key]) -> None:
        """Remove items that may be gone already."""
        await self._batch_write([{"DeleteRequest": {"Key": dynamo(key.as_dict())}} for key in keys])

    async def _batch_write(self, requests: list[dict[str, Any]]) -> None:
        client = await self._clients.get("dynamodb")
        for start in range(0, len(requests), _BATCH_WRITE_LIMIT):
            pending: dict[str, Any] = {self.name: requests[start : start + _BATCH_WRITE_LIMIT]}
            for attempt in range(8):
                answer = await client.batch_write_item(RequestItems=pending)
                pending = answer.get("UnprocessedItems") or {}
                if not pending:
                    break
                await asyncio.sleep(0.05 * 2**attempt)
            else:
                raise RetryableError("the table is throttling writes")


def _raise_condition(reasons: Sequence[Mapping[str, Any]]) -> None:
    for position, reason in enumerate(reasons):
        if reason.get("Code") == "ConditionalCheckFailed":
            old = reason.get("Item")
            raise ConditionFailed(position, plain(old) if old else None)


def _expression(condition: str | None, values: Mapping[str, Any], *, also: str = "") -> dict[str, Any]:
    names = {f"#{name}": name for name in _NAME.findall(f"{condition or ''} {also}")}
    arguments: dict[str, Any] = {}
    if condition:
        arguments |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if names:
        arguments["ExpressionAttributeNames"] = names
    if values:
        arguments["ExpressionAttributeValues"] = dynamo(values)
    return arguments


def dynamo(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write values in DynamoDB's typed JSON; None is left out."""
    return {name: _encode(value) for name, value in values.items() if value is not None}


def _encode(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case float():
            return {"N": str(Decimal(repr(value)))}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case Mapping():
            return {"M": {str(name): _encode(member) for name, member in value.items()}}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case Sequence():
            return {"L": [_encode(member) for member in value]}
    raise TypeError(f"DynamoDB cannot hold a {type(value).__name__}")


def plain(item: Mapping[str, Any]) -> Item:
    """Read DynamoDB's typed JSON, as answers and stream records hold it."""
    return {name: _decode(value) for name, value in item.items()}


def _decode(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case "B":
            return bytes(content)
        case "NULL":
            return None
        case "M":
            return {name: _decode(member) for name, member in content.items()}
        case "L":
            return [_decode(member) for member in content]
        case "SS":
            return set(content)
    raise TypeError(f"unexpected DynamoDB type {kind}")
