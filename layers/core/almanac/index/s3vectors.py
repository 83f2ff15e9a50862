"""Amazon S3 Vectors as the dense side: one vector index for each tenant, index and shard, in one vector bucket.

What was verified: every request against the API model of botocore 1.40.61, by its own validator and serialiser, and
every field that is read against the model's output shapes; and against moto 5.2.5 all operations that it has: buckets,
indexes, putting, getting, listing and deleting vectors.

What could not be verified without AWS, and is taken from its documentation as of November 2026:
- `QueryVectors`, which moto lacks: how near to exact its ranking is (it is approximate, and no recall is promised),
  that `distance` is 1 minus the cosine, and that up to 100 results may be asked for (the model sets no upper bound;
  the preview allowed 30);
- what filters mean: `$in` and `$nin` on values, `$exists` on missing ones, evaluated during the search;
- how long after a write its vectors are found, and how the service throttles (documented: 2,500 vectors a second for
  an index);
- limits that the model does not hold: 2 KB of filterable metadata, 20 MiB a request, the characters of names.

None of this can make an answer wrong: see `almanac.index.dense`.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from almanac.aws.clients import Clients, error_code
from almanac.errors import RetryableError, TerminalError
from almanac.index.dense import DenseRow, Neighbour, RowKey
from almanac.index.filters import Filters
from almanac.index.nearness import Vector
from almanac.index.sources import Kind

VECTORS_PER_REQUEST = 500
NUMBERS_PER_REQUEST = 20_000
"""botocore checks and writes every number of a request while nothing else runs: 20,000 take it some 50 ms."""
TOP_K = 100
SLICES = 10
"""A query returns at most `TOP_K`; asked of each slice of the rows by itself, it returns that many times more."""
MAX_METADATA = 2048
_LIST_PAGE = 1000

_RETRYABLE = frozenset(
    {
        "TooManyRequestsException",
        "ThrottlingException",
        "ServiceUnavailableException",
        "InternalServerException",
        "RequestTimeoutException",
        "RequestTimeout",
    }
)


def index_name(tenant_id: str, index_id: str, shard: int) -> str:
    """Return the name of a vector index: nobody else's, whatever the ids are. Example: `almanac-3f0c...` (48 letters).

    The service allows 3 to 63 lower-case letters, digits, dots and hyphens, which ids of ours do not keep to.
    """
    named = json.dumps([tenant_id, index_id, shard]).encode()
    return f"almanac-{hashlib.sha256(named).hexdigest()[:40]}"


def slice_of(key: RowKey) -> int:
    """Return which slice a row is in; chunks of one source lie in different ones."""
    return (key.low + key.ordinal) % SLICES


def metadata(row: DenseRow) -> dict[str, Any]:
    """Return what a row can be filtered by."""
    found: dict[str, Any] = {"project": row.project_id, "kind": row.kind.value, "slice": slice_of(row.key)}
    if row.language is not None:
        found["language"] = row.language
    if len(json.dumps(found).encode()) > MAX_METADATA:
        raise TerminalError("metadata_too_large", f"row {row.key.text} has more metadata than S3 Vectors takes")
    return found


def filter_of(filters: Filters, part: int | None = None) -> dict[str, Any] | None:
    """Return the filter that passes at least what `filters` pass, within one slice; None when that is everything."""
    languages = sorted(language.casefold() for language in filters.languages)
    tests: list[dict[str, Any]] = []
    if part is not None:
        tests.append({"slice": {"$eq": part}})
    if filters.projects:
        tests.append({"project": {"$in": sorted(filters.projects)}})
    kinds = sorted((filters.kinds or frozenset(Kind)) - filters.without_kinds)
    if len(kinds) < len(Kind):
        # An empty list is not allowed: nothing passes such filters, so whatever is returned falls out.
        tests.append({"kind": {"$in": [kind.value for kind in kinds or Kind]}})
    if languages:
        tests.append({"language": {"$in": languages}})
    if len(tests) > 1:
        return {"$and": tests}
    return tests[0] if tests else None


@dataclass
class S3Vectors:
    """One vector index. `create` it before the first use."""

    clients: Clients
    bucket: str
    name: str
    dimensions: int
    top_k: int = TOP_K

    async def create(self) -> None:
        """Create the bucket and the index unless they are there; one of another shape is refused."""
        client = await self._client()
        try:
            answer = await self._call(client.get_index, self._place)
        except TerminalError as error:
            if error.code != "NotFoundException":
                raise
            await self._unless_there(client.create_vector_bucket, {"vectorBucketName": self.bucket})
            await self._unless_there(client.create_index, self._place | self._shape)
            answer = await self._call(client.get_index, self._place)
        differing = [name for name, value in self._shape.items() if answer["index"][name] != value]
        if differing:
            raise TerminalError("dense_index_differs", f"vector index {self.name} has another {', '.join(differing)}")

    async def drop(self) -> None:
        """Delete the index with all its vectors, if it is there."""
        client = await self._client()
        try:
            await self._call(client.delete_index, self._place)
        except TerminalError as error:
            if error.code != "NotFoundException":
                raise

    async def put(self, rows: Sequence[DenseRow]) -> None:
        client = await self._client()
        size = max(1, min(VECTORS_PER_REQUEST, NUMBERS_PER_REQUEST // self.dimensions))
        for start in range(0, len(rows), size):
            vectors = [
                {
                    "key": row.key.text,
                    # The length of a vector does not matter for cosines, and small whole numbers are exact in float32.
                    "data": {"float32": row.code.astype(np.float32).tolist()},
                    "metadata": metadata(row),
                }
                for row in rows[start : start + size]
            ]
            await self._call(client.put_vectors, self._place | {"vectors": vectors})

    async def delete(self, keys: Sequence[RowKey]) -> None:
        client = await self._client()
        for start in range(0, len(keys), VECTORS_PER_REQUEST):
            group = [key.text for key in keys[start : start + VECTORS_PER_REQUEST]]
            await self._call(client.delete_vectors, self._place | {"keys": group})

    async def nearest(self, vector: Vector, filters: Filters, count: int) -> list[Neighbour]:
        if count <= self.top_k:
            return await self._query(vector, filter_of(filters), count)
        most = min(self.top_k, count)
        found = await asyncio.gather(
            *(self._query(vector, filter_of(filters, part), most) for part in range(SLICES)), return_exceptions=True
        )
        merged: list[Neighbour] = []
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
            merged += answer
        return sorted(merged, key=lambda neighbour: (-neighbour.similarity, neighbour.key))[:count]

    async def stored(self) -> AsyncIterator[RowKey]:
        client = await self._client()
        asked: dict[str, Any] = {**self._place, "maxResults": _LIST_PAGE}
        while True:
            answer = await self._call(client.list_vectors, asked)
            for vector in answer["vectors"]:
                yield RowKey.read(vector["key"])
            if not answer.get("nextToken"):
                return
            asked["nextToken"] = answer["nextToken"]

    async def _query(self, vector: Vector, wanted: dict[str, Any] | None, count: int) -> list[Neighbour]:
        client = await self._client()
        asked: dict[str, Any] = {
            **self._place,
            "topK": count,
            "queryVector": {"float32": vector.astype(np.float32).tolist()},
            "returnDistance": True,
        }
        if wanted is not None:
            asked["filter"] = wanted
        answer = await self._call(client.query_vectors, asked)
        return [Neighbour(RowKey.read(each["key"]), 1 - each["distance"]) for each in answer["vectors"]]

    @property
    def _place(self) -> dict[str, Any]:
        return {"vectorBucketName": self.bucket, "indexName": self.name}

    @property
    def _shape(self) -> dict[str, Any]:
        return {"dataType": "float32", "dimension": self.dimensions, "distanceMetric": "cosine"}

    async def _client(self) -> Any:
        return await self.clients.get("s3vectors")

    async def _unless_there(self, call: "_Call", arguments: dict[str, Any]) -> None:
        try:
            await self._call(call, arguments)
        except TerminalError as error:
            if error.code != "ConflictException":
                raise

    async def _call(self, call: "_Call", arguments: dict[str, Any]) -> dict[str, Any]:
        """Call the service. What may succeed later is a `RetryableError`, anything else a `TerminalError`."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return await call(**arguments)
        except ParamValidationError as error:
            raise TerminalError("dense_request_invalid", str(error)) from error
        except ClientError as error:
            code = error_code(error)
            if code in _RETRYABLE:
                raise RetryableError(f"S3 Vectors: {code}") from error
            raise TerminalError(code, f"S3 Vectors refused: {error}") from error
        except BotoCoreError as error:
            raise RetryableError(f"S3 Vectors: {type(error).__name__}") from error


_Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
