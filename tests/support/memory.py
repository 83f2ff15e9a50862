"""The table and the bucket in memory, for properties that need thousands of calls and the power to kill at each.

Speaks the part of the AWS clients that `almanac.aws` uses, in their typed form. The integration tests hold the same
code to a store that is not ours.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Self

from almanac.aws.clients import Clients

Typed = dict[str, Any]
_TOKEN = re.compile(r"\(|\)|,|AND|OR|IN\b|attribute_exists|attribute_not_exists|<>|<=|>=|=|<|>|[#:][\w]+")
_KEYS = {None: ("pk", "sk"), "children": ("gsi1pk", "gsi1sk"), "due": ("gsi2pk", "gsi2sk")}


class Killed(BaseException):
    """The process is gone: nothing that it still wants to do happens."""


class RefusedWrite(Exception):
    """What botocore raises for a failed condition."""

    def __init__(self, code: str, **response: Any) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}, **response}


@dataclass(frozen=True)
class _Version:
    """A version of an object; `body` is None for the mark of a deletion."""

    id: str
    body: bytes | None
    written_at: float


class MemoryStore(Clients):
    """One table and one bucket, which keeps versions. `kill_at` calls from now the process dies, before or after the
    call's effect.

    `on_call`, when set, is called before each. `pauses`, when set, tells how often others come first before a call;
    `page_size` is how many items a page of a query has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], Typed] = {}
        self.versions: dict[str, list[_Version]] = {}
        self.clock: Callable[[], float] = time.time
        self.pauses: Callable[[], int] | None = None
        self.page_size: int | None = None
        self._ids = count(1)
        self.kill_at: int | None = None
        self.kill_after_effect = False
        self.dead = False
        self.on_call: Callable[[], None] | None = None

    @property
    def objects(self) -> dict[str, bytes]:
        """The newest version of each object that is not deleted."""
        newest = {key: versions[-1].body for key, versions in self.versions.items() if versions}
        return {key: body for key, body in newest.items() if body is not None}

    def put(self, key: str, body: bytes | None) -> None:
        """Add a version of an object; None marks it as deleted."""
        self.versions.setdefault(key, []).append(_Version(f"v{next(self._ids)}", body, self.clock()))

    def delete(self, key: str, version_id: str | None) -> None:
        if version_id is None:
            self.put(key, None)
        else:
            self.versions[key] = [each for each in self.versions.get(key, []) if each.id != version_id]

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        if self.pauses is not None:
            for _ in range(self.pauses()):
                await asyncio.sleep(0)
        return {"dynamodb": _Dynamo, "s3": _S3}[service](self)

    def call(self, effect: Callable[[], Any]) -> Any:
        """Carry out one call, or die."""
        if self.dead:
            raise Killed
        if self.on_call is not None:
            self.on_call()
        if self.kill_at is None:
            return effect()
        self.kill_at -= 1
        if self.kill_at > 0:
            return effect()
        self.dead = True
        if self.kill_after_effect:
            effect()
        raise Killed

    def revive(self) -> None:
        """Start a new process on the same data."""
        self.dead, self.kill_at = False, None


class _Dynamo:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get_item(self, *, Key: Typed, **_: Any) -> Typed:  # noqa: N803 - the client's own names
        item = self._store.call(lambda: self._store.items.get(_key(Key)))
        return {"Item": dict(item)} if item is not None else {}

    async def put_item(self, **write: Any) -> Typed:
        return self._one("Put", write)

    async def update_item(self, **write: Any) -> Typed:
        self._one("Update", write)
        return {"Attributes": dict(self._store.items[_key(write["Key"])])}

    async def delete_item(self, **write: Any) -> Typed:
        return self._one("Delete", write)

    def _one(self, verb: str, write: Typed) -> Typed:
        def effect() -> None:
            old = self._store.items.get(_target(write))
            if not _holds(write, old):
                raise RefusedWrite("ConditionalCheckFailedException", **({"Item": old} if old else {}))
            self._apply(verb, write)

        self._store.call(effect)
        return {}

    async def transact_write_items(self, *, TransactItems: list[Typed]) -> None:  # noqa: N803
        def effect() -> None:
            writes = [next(iter(item.items())) for item in TransactItems]
            targets = [_target(write) for _, write in writes]
            assert len(set(targets)) == len(targets), "a transaction touches an item once"
            reasons = []
            for _, write in writes:
                old = self._store.items.get(_target(write))
                refused = {"Code": "ConditionalCheckFailed", **({"Item": old} if old else {})}
                reasons.append({"Code": "None"} if _holds(write, old) else refused)
            if any(reason["Code"] != "None" for reason in reasons):
                raise RefusedWrite("TransactionCanceledException", CancellationReasons=reasons)
            for verb, write in writes:
                self._apply(verb, write)

        self._store.call(effect)

    def _apply(self, verb: str, write: Typed) -> None:
        key = _target(write)
        if verb == "Put":
            self._store.items[key] = dict(write["Item"])
        elif verb == "Delete":
            self._store.items.pop(key, None)
        elif verb == "Update":
            item: Typed = dict(self._store.items.get(key) or write["Key"])
            _update(item, write)
            self._store.items[key] = item

    async def query(self, **arguments: Any) -> Typed:
        hash_name, range_name = _KEYS[arguments.get("IndexName")]
        values = arguments["ExpressionAttributeValues"]
        partition, prefix = values[":partition"]["S"], values.get(":prefix", {"S": ""})["S"]
        until = values.get(":until", {"S": "\U0010ffff"})["S"]

        def effect() -> list[Typed]:
            found = [item for item in self._store.items.values() if item.get(hash_name, {}).get("S") == partition]
            return sorted(
                (item for item in found if item[range_name]["S"].startswith(prefix) and item[range_name]["S"] <= until),
                key=lambda item: str(item[range_name]["S"]),
            )

        items = self._store.call(effect)
        if after := arguments.get("ExclusiveStartKey"):
            items = [item for item in items if item["sk"]["S"] > after["sk"]["S"]]
        size = self._store.page_size if arguments.get("Limit") is None else arguments["Limit"]
        page: Typed = {"Items": [dict(item) for item in items[:size]]}
        if size is not None and len(items) > size and arguments.get("Limit") is None:
            page["LastEvaluatedKey"] = {name: items[size - 1][name] for name in ("pk", "sk")}
        return page

    async def batch_get_item(self, *, RequestItems: Typed) -> Typed:  # noqa: N803
        ((table, request),) = RequestItems.items()
        keys = [_key(key) for key in request["Keys"]]
        return {
            "Responses": {
                table: self._store.call(lambda: [self._store.items[k] for k in keys if k in self._store.items])
            }
        }

    async def batch_write_item(self, *, RequestItems: Typed) -> Typed:  # noqa: N803
        def effect() -> None:
            for request in next(iter(RequestItems.values())):
                if "PutRequest" in request:
                    item = request["PutRequest"]["Item"]
                    self._store.items[_key(item)] = dict(item)
                else:
                    self._store.items.pop(_key(request["DeleteRequest"]["Key"]), None)

        self._store.call(effect)
        return {}


class _S3:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def get_object(self, *, Key: str, **options: str) -> Typed:  # noqa: N803
        version_id = options.get("VersionId")

        def effect() -> bytes | None:
            if version_id is None:
                versions = self._store.versions.get(Key)
                return versions[-1].body if versions else None
            return next((each.body for each in self._store.versions.get(Key, []) if each.id == version_id), None)

        body = self._store.call(effect)
        if body is None:
            raise RefusedWrite("NoSuchKey")
        if given := options.get("Range"):
            first, last = (int(number) for number in given.removeprefix("bytes=").split("-"))
            if first >= len(body):
                raise RefusedWrite("InvalidRange")
            body = body[first : last + 1]
        return {"Body": _Body(body)}

    async def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        self._store.call(lambda: self._store.put(Key, bytes(Body)))

    async def upload_file(self, path: str, _: str, key: str) -> None:
        body = Path(path).read_bytes()  # noqa: ASYNC240 - small files of a test
        self._store.call(lambda: self._store.put(key, body))

    async def download_file(self, _: str, key: str, path: str, ExtraArgs: Typed | None = None) -> None:  # noqa: N803
        answer = await self.get_object(Key=key, **(ExtraArgs or {}))
        Path(path).write_bytes(await answer["Body"].read())  # noqa: ASYNC240

    async def head_object(self, *, Key: str, **_: Any) -> Typed:  # noqa: N803
        versions: list[_Version] = self._store.call(lambda: self._store.versions.get(Key, []))
        if not versions or (body := versions[-1].body) is None:
            raise RefusedWrite("404")
        return {"ContentLength": len(body), "VersionId": versions[-1].id}

    async def delete_objects(self, *, Delete: Typed, **_: Any) -> None:  # noqa: N803
        def effect() -> None:
            for entry in Delete["Objects"]:
                self._store.delete(entry["Key"], entry.get("VersionId"))

        self._store.call(effect)

    async def list_object_versions(self, *, Prefix: str, **_: Any) -> Typed:  # noqa: N803
        def effect() -> list[tuple[str, _Version]]:
            return [(key, v) for key, all_ in sorted(self._store.versions.items()) for v in all_]

        found = [(key, version) for key, version in self._store.call(effect) if key.startswith(Prefix)]
        return {
            "Versions": [_entry(key, version) for key, version in found if version.body is not None],
            "DeleteMarkers": [_entry(key, version) for key, version in found if version.body is None],
        }

    async def generate_presigned_post(self, _: str, key: str, *, Fields: Typed, **__: Any) -> Typed:  # noqa: N803
        return {"url": "https://bucket.test/", "fields": {**Fields, "key": key}}

    async def generate_presigned_url(self, _: str, *, Params: Typed, **__: Any) -> str:  # noqa: N803
        return f"https://bucket.test/{Params['Key']}"

    async def abort_multipart_upload(self, **_: Any) -> None:
        self._store.call(lambda: None)

    async def get_bucket_versioning(self, **_: Any) -> Typed:
        return {"Status": "Enabled"}

    def get_paginator(self, name: str) -> "_Listing":
        return _Listing(self._store, name)


class _Listing:
    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store = store
        self._versions = name == "list_object_versions"

    async def paginate(self, *, Prefix: str, **_: Any) -> AsyncIterator[Typed]:  # noqa: N803
        if not self._versions:
            names = self._store.call(lambda: sorted(key for key in self._store.objects if key.startswith(Prefix)))
            yield {"Contents": [{"Key": name} for name in names]}
            return
        found = self._store.call(
            lambda: [(key, v) for key, all_ in sorted(self._store.versions.items()) for v in all_ if v.body is not None]
        )
        yield {"Versions": [_entry(key, version) for key, version in found if key.startswith(Prefix)]}


class _Body:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> bytes:
        return self._body

    async def iter_chunks(self, size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(self._body), size):
            yield self._body[start : start + size]


def _entry(key: str, version: _Version) -> Typed:
    written_at = datetime.fromtimestamp(version.written_at, UTC)
    return {"Key": key, "VersionId": version.id, "LastModified": written_at, "Size": len(version.body or b"")}


def _key(item: Typed) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _target(write: Typed) -> tuple[str, str]:
    return _key(write.get("Key") or write["Item"])


def _holds(write: Typed, item: Typed | None) -> bool:
    condition = write.get("ConditionExpression")
    if not condition:
        return True
    names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
    python = []
    for token in _TOKEN.findall(condition):
        if token.startswith("#"):
            python.append(f"_attribute({names[token]!r})")
        elif token.startswith(":"):
            python.append(f"_plain({values[token]!r})")
        else:
            python.append({"AND": "and", "OR": "or", "IN": "in", "<>": "!=", "=": "=="}.get(token, token))
    return bool(eval(" ".join(python), _vocabulary(item or {})))  # noqa: S307 - of our own expressions


def _vocabulary(item: Typed) -> dict[str, Any]:
    missing = _Missing()
    return {
        "_attribute": lambda name: _plain(item[name]) if name in item else missing,
        "_plain": _plain,
        "attribute_exists": lambda value: value is not missing,
        "attribute_not_exists": lambda value: value is missing,
    }


class _Missing:
    """Compares as DynamoDB compares what is not there: never true, but for `<>`."""

    def __eq__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__
    __hash__ = None  # type: ignore[assignment]


def _plain(value: Typed) -> Any:
    ((kind, content),) = value.items()
    return float(content) if kind == "N" else content


def _update(item: Typed, write: Typed) -> None:
    names, values = write.get("ExpressionAttributeNames", {}), write.get("ExpressionAttributeValues", {})
    for verb, clause in re.findall(r"(SET|ADD|REMOVE) (.*?)(?= (?:SET|ADD|REMOVE) |$)", write["UpdateExpression"]):
        for part in clause.split(", "):
            words = part.replace("=", " ").split()
            name = names[words[0]]
            if verb == "REMOVE":
                item.pop(name, None)
            elif verb == "SET":
                item[name] = values[words[1]]
            else:
                old = int(item.get(name, {"N": "0"})["N"])
                item[name] = {"N": str(old + int(values[words[1]]["N"]))}
