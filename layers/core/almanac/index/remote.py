"""Shards in other functions: what is said between the function that searches and those that hold a shard.

The searching function reads the manifest once and tells every shard exactly which parts to open and which facts hold:
a `Pin`. A shard never reads the manifest, so no search mixes two versions of it, whatever is written meanwhile.

A message is a JSON head and numpy arrays behind it, compressed: a few kilobytes to a shard, some hundred back, far
from the 6 MB that Lambda allows. Floats keep every bit.
"""

import asyncio
import base64
import binascii
import json
import random
import struct
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from almanac import tenancy
from almanac.aws.clients import Clients, error_code
from almanac.errors import Unavailable
from almanac.index import tail
from almanac.index.bm25 import TermStatistics
from almanac.index.filters import Filters
from almanac.index.manifest import Awaited, ManifestState, PartRef
from almanac.index.retrieval import (
    Candidates,
    Hit,
    Position,
    Query,
    Ranked,
    candidates,
    hits,
    statistics,
)
from almanac.index.segments import Model
from almanac.index.shards import Chunk, Counted, shard_of, text_of
from almanac.index.visibility import AsOf, Facts, View
from almanac.observability import correlation_id, log

PROTOCOL = 3
"""Raised whenever messages or scores change: two releases must not answer one search together."""
MAX_MESSAGE = 5_500_000
"""Below Lambda's limit of 6 MB for what is sent to a function and what it returns."""
ROWS_PER_ANSWER = 60_000
"""A shard answers with some thousand candidates, unless very many rows score the same; then it is asked again."""
_LENGTH = struct.Struct("<I")
_TRIES = 3

Invoke = Callable[[str], Coroutine[Any, Any, str]]
"""Send a message to a function and return its answer."""


class ShardUnavailable(Unavailable):
    """A shard of the index does not answer. No answer is better than one without it."""

    code = "index_unavailable"
    title = "The index cannot be read"


@dataclass(frozen=True)
class Pin:
    """One state of one shard: the parts to open, in this order, what is not embedded yet, and the facts that hold."""

    tenant_id: str
    index_id: str
    shard: int
    model: Model
    parts: tuple[PartRef, ...]
    awaiting: tuple[Awaited, ...]
    facts: Facts


def pins(
    tenant_id: str,
    state: ManifestState,
    index_id: str,
    model: Model,
    as_of: AsOf | None = None,
    hidden: frozenset[str] = frozenset(),
) -> list[Pin]:
    """Return a pin of every shard, all from one reading of the manifest. History is opened only for the past.

    Nothing of the `hidden` projects is shown.
    """
    shards = state.directory.indexes[index_id].shards
    late = tail.searchable(tail.awaiting(state, index_id, ()))
    return [
        Pin(
            tenant_id,
            index_id,
            shard,
            model,
            tuple(_parts(state, index_id, shard, with_history=as_of is not None)),
            tuple(entry for entry in late if shard_of(str(entry.source_id), shards) == shard),
            Facts(
                {name: version for name, version in state.erased.items() if shard_of(name, shards) == shard},
                frozenset(state.drops),
                state.floors,
                as_of,
                hidden,
            ),
        )
        for shard in range(shards)
    ]


def _parts(state: ManifestState, index_id: str, shard: int, *, with_history: bool) -> list[PartRef]:
    snapshot = state.snapshot(index_id, shard)
    found = [snapshot.current] if snapshot is not None and snapshot.current is not None else []
    found += [
        PartRef(entry.sha256, entry.rows, entry.size) for _, entry in sorted(state.segments(index_id, shard).items())
    ]
    return found + (list(snapshot.history) if snapshot is not None and with_history else [])


class RemoteShard:
    """A shard that another function holds."""

    def __init__(self, invoke: Invoke, pin: Pin) -> None:
        self._invoke = invoke
        self._pin = _pin.dump_python(pin, mode="json")
        self._shard = pin.shard

    async def count(self, query: Query) -> Counted:
        values, _ = await self._ask("count", query)
        return Counted(TermStatistics(**values["known"]), values["unembedded"])

    async def candidates(self, query: Query, known: TermStatistics) -> Candidates:
        values, arrays = await self._ask("candidates", query, {"known": _counts(known), "first": 0})
        pages, seen, total = [arrays], len(arrays["row"]), values["total"]
        while seen < total:
            _, arrays = await self._ask("candidates", query, {"known": _counts(known), "first": seen})
            pages.append(arrays)
            seen += len(arrays["row"])
            if not len(arrays["row"]):
                raise self._failed(f"{seen} candidates instead of {total}")
        return Candidates(*(np.concatenate([page[name] for page in pages]) for name in _COLUMNS))

    async def hits(self, query: Query, known: TermStatistics, found: Candidates, ranked: Sequence[Ranked]) -> list[Hit]:
        entries = [asdict(entry) | {"position": list(entry.position)} for entry in ranked]
        values, _ = await self._ask("hits", query, {"known": _counts(known), "ranked": entries}, _arrays(found))
        return _hits.validate_python(values)

    async def texts(self, chunks: Sequence[Chunk]) -> list[str | None]:
        values, _ = await self._ask("texts", Query("", None, 0.0), {"chunks": chunks})
        return list(values)

    async def _ask(
        self, call: str, query: Query, values: Mapping[str, Any] | None = None, arrays: "_Arrays | None" = None
    ) -> "_Message":
        told = {"protocol": PROTOCOL, "call": call, "pin": self._pin, "query": _query_values(query), **(values or {})}
        vector = {} if query.vector is None else {"vector": query.vector}
        message = pack(told, {**(arrays or {}), **vector})
        if len(message) > MAX_MESSAGE:
            raise self._failed(f"a request of {len(message)} bytes is too large to send")
        answer, found = unpack(await self._invoke(message))
        if "error" in answer:
            raise self._failed(str(answer["error"]))
        return _Message(answer["values"], found)

    def _failed(self, reason: str) -> ShardUnavailable:
        log("error", "shard failed", shard=self._shard, index=self._pin["index_id"], reason=reason)
        return ShardUnavailable("A part of the search index does not answer. Try again in a moment.")


async def serve(message: str, open_view: Callable[[Pin], Awaitable[View]]) -> str:
    """Answer one message of a `RemoteShard`, given how to open a pin. What goes wrong is told in the answer."""
    told, arrays = unpack(message)
    if told.get("protocol") != PROTOCOL:
        return pack({"error": f"protocol {told.get('protocol')} is not {PROTOCOL}: another release"}, {})
    pin = _pin.validate_python(told["pin"])
    tenancy.bind(pin.tenant_id)
    try:
        view = await open_view(pin)
    except Unavailable as error:
        return pack({"error": error.detail}, {})
    values, found = await asyncio.to_thread(_answer, view, told, arrays)
    answer = pack({"values": values}, found)
    if len(answer) > MAX_MESSAGE:
        return pack({"error": f"an answer of {len(answer)} bytes is too large"}, {})
    return answer


class LambdaInvoker:
    """Invokes a shard's function within a deadline. Calls only read, so any of them may be repeated.

    Several functions share the shards among them: an environment then serves few shards and keeps them in memory.
    """

    def __init__(self, clients: Clients, functions: Sequence[str], *, seconds: float = 25.0) -> None:
        if not functions:
            raise ValueError("shards need at least one function")
        self._clients = clients
        self._functions = functions
        self._seconds = seconds

    def of(self, shard: int) -> Invoke:
        """Return how to reach a shard."""
        name = self._functions[shard % len(self._functions)]

        async def invoke(message: str) -> str:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._invoke(name, message)
            except TimeoutError:
                raise _unreachable(name, f"no answer within {self._seconds} seconds") from None

        return invoke

    async def _invoke(self, name: str, message: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        client = await self._clients.get("lambda")
        payload = json.dumps({"message": message, "correlation_id": correlation_id()}).encode()
        reason = ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(random.uniform(0, 0.2 * 2**attempt))  # noqa: S311 - spreads repeats
            try:
                # The client itself repeats throttled and lost calls; here an environment that broke is given up.
                answer = await client.invoke(FunctionName=name, Payload=payload)
            except (BotoCoreError, ClientError) as error:
                raise _unreachable(name, error_code(error) or type(error).__name__) from error
            async with answer["Payload"] as stream:
                body = await stream.read()
            if not answer.get("FunctionError"):
                return str(json.loads(body)["message"])
            reason = body[:500].decode("utf-8", "replace")
        raise _unreachable(name, reason)


def _unreachable(name: str, reason: str) -> ShardUnavailable:
    log("error", "shard function failed", function=name, reason=reason)
    return ShardUnavailable("A part of the search index does not answer. Try again in a moment.")


_Arrays = dict[str, NDArray[Any]]


class _Message(NamedTuple):
    values: Any
    arrays: _Arrays


def pack(values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return values and arrays of one dimension as text."""
    columns = [(name, array.dtype.str, len(array)) for name, array in arrays.items()]
    head = json.dumps({"values": values, "columns": columns}, separators=(",", ":")).encode()
    body = b"".join([_LENGTH.pack(len(head)), head, *(array.tobytes() for array in arrays.values())])
    return base64.b64encode(zlib.compress(body, 1)).decode()


def unpack(message: str) -> _Message:
    """Read what `pack` wrote; raises `ValueError` on anything else."""
    try:
        body = zlib.decompress(base64.b64decode(message, validate=True))
        (length,) = _LENGTH.unpack_from(body)
        head = json.loads(body[_LENGTH.size : _LENGTH.size + length])
    except (binascii.Error, zlib.error, struct.error) as error:
        raise ValueError(f"not a message between shards: {error}") from error
    arrays, place = {}, _LENGTH.size + length
    for name, dtype, count in head["columns"]:
        arrays[name] = np.frombuffer(body, dtype, count, place)
        place += arrays[name].nbytes
    return _Message(head["values"], arrays)


def _answer(view: View, told: Mapping[str, Any], arrays: _Arrays) -> tuple[Any, _Arrays]:
    query = _query(told["query"], arrays.pop("vector", None))
    if told["call"] == "count":
        return {"known": _counts(statistics(view, query)), "unembedded": view.unembedded}, {}
    if told["call"] == "texts":
        return [text_of(view, Chunk(*chunk)) for chunk in told["chunks"]], {}
    known = TermStatistics(**told["known"])
    if told["call"] == "candidates":
        found = candidates(view, query, known)
        page = found[np.arange(told["first"], min(told["first"] + ROWS_PER_ANSWER, len(found)))]
        return {"total": len(found)}, _arrays(page)
    ranked = [Ranked(**entry | {"position": Position(*entry["position"])}) for entry in told["ranked"]]
    shown = hits(view, query, known, Candidates(**arrays), ranked, len(ranked))
    return _hits.dump_python(shown, mode="json"), {}


def _query_values(query: Query) -> dict[str, Any]:
    values = {field.name: getattr(query, field.name) for field in fields(query) if field.name != "vector"}
    return values | {"filters": _filters.dump_python(query.filters, mode="json")}


def _query(values: Mapping[str, Any], vector: NDArray[Any] | None) -> Query:
    phrases = {name: tuple(values[name]) for name in ("phrases", "without")}
    return Query(**{**values, **phrases, "filters": _filters.validate_python(values["filters"]), "vector": vector})


def _counts(known: TermStatistics) -> dict[str, Any]:
    return {**vars(known), "frequencies": dict(known.frequencies)}


def _arrays(found: Candidates) -> _Arrays:
    return {name: getattr(found, name) for name in _COLUMNS}


_COLUMNS = tuple(field.name for field in fields(Candidates))
_pin = TypeAdapter(Pin)
_filters = TypeAdapter(Filters)
_hits = TypeAdapter(list[Hit])
