"""moto's server, made right and quick enough for tests.

One DynamoDB call is carried out at a time, and a transaction that fails puts back the items that it names. moto itself
puts back a copy of the whole table from before: what others wrote meanwhile would be lost, nobody outside could tell
that from a race of ours, and the copying, once for each write, would be most of what a run of the tests does.

`POST /moto-api/empty` takes what tests left out of tables, queues and buckets, in one call.
"""

import copy
import json
import sys
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

from moto import backends
from moto.core.common_models import BaseModel
from moto.core.serialize import AttributePicker, AttributePickerContext
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.moto_api._internal import urls
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import FakeKey, s3_backends
from moto.server import main
from moto.sqs.models import sqs_backends

from tests.support.store import EMPTY_PATH

_VALUE_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})
_one_at_a_time = Lock()
_call_action = DynamoHandler.call_action
_transact = DynamoDBBackend.transact_write_items
_pick = AttributePicker.__call__


def call_action(handler: DynamoHandler) -> Any:
    """Answer a call when the one before has been answered."""
    with _one_at_a_time:
        return _call_action(handler)


def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    """Do all that a transaction asks for, or leave the items that it names as they were."""
    before = [(table, key, copy.deepcopy(_get(table, key))) for table, key in _named(backend, transact_items)]
    try:
        _transact(backend, transact_items)
    except Exception:
        for table, (partition, sort), item in before:
            if item is not None:
                table.items[partition][sort] = item
            elif partition in table.items:
                table.items[partition].pop(sort, None)
        raise


_Key = tuple[DynamoType, DynamoType]


def _named(backend: DynamoDBBackend, operations: list[dict[str, Any]]) -> Iterator[tuple[Table, _Key]]:
    """Iterate over the tables and keys of well-formed operations; the others change nothing."""
    for operation in operations:
        for asked in operation.values():
            table = backend.tables.get(asked.get("TableName", ""))
            given = asked.get("Key") or asked.get("Item") or {}
            if table is not None and {table.hash_key_attr, table.range_key_attr} <= given.keys():
                yield table, (DynamoType(given[table.hash_key_attr]), DynamoType(given[table.range_key_attr]))


def _get(table: Table, key: _Key) -> Any:
    partition, sort = key
    return table.items[partition].get(sort) if partition in table.items else None


def pick(picker: AttributePicker, context: AttributePickerContext) -> Any:
    """Return a member of what is answered: of a DynamoDB value at once, moto would try every alias of every type."""
    found = context.obj
    if type(found) is dict and len(found) == 1 and found.keys() <= _VALUE_TYPES:
        return found.get(context.key)
    return _pick(picker, context)


def empty(*_: Any) -> tuple[int, dict[str, str], str]:
    """Take all items, messages and objects out of the store; what holds them stays."""
    for backend in _of_all_accounts(dynamodb_backends):
        for table in backend.tables.values():
            table.items.clear()
    for backend in _of_all_accounts(sqs_backends):
        for queue in backend.queues.values():
            queue._messages, queue._pending_messages, queue.deleted_messages = [], set(), set()
    for backend in _of_all_accounts(s3_backends):
        for bucket in backend.buckets.values():
            for key in bucket.keys.values():
                if isinstance(key, FakeKey):
                    key.dispose()
            bucket.keys = type(bucket.keys)()
            for upload in bucket.multiparts.values():
                upload.dispose()
            bucket.multiparts.clear()
    return 200, {}, json.dumps({"status": "ok"})


def _of_all_accounts(service: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    for regions in service.values():
        yield from regions.values()


def create(cls: type[BaseModel], *_: Any, **__: Any) -> BaseModel:
    """Make an instance of a model, and remember it where a test asks for it."""
    instance: BaseModel = super(BaseModel, cls).__new__(cls)
    if cls.__module__.startswith("moto.ses."):
        cls.instances_tracked.append(instance)  # type: ignore[attr-defined]
    return instance


def serve(arguments: list[str]) -> None:
    BaseModel.__new__ = staticmethod(create)  # type: ignore[method-assign]
    DynamoHandler.call_action = call_action  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[method-assign, assignment]
    Table.__deepcopy__ = lambda table, _memo: table  # type: ignore[attr-defined]
    AttributePicker.__call__ = pick  # type: ignore[method-assign, assignment]
    # Read from the disk for every request otherwise.
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    MotoRequestHandler.log_request = lambda *_, **__: None  # type: ignore[method-assign]
    # A body does not wait until its headers are acknowledged.
    MotoRequestHandler.disable_nagle_algorithm = True
    urls.url_paths[f"{{0}}{EMPTY_PATH}"] = empty  # type: ignore[assignment]
    main(arguments)


if __name__ == "__main__":
    serve(sys.argv[1:])
