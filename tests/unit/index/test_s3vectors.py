"""Requests to Amazon S3 Vectors and what is read of its answers, held to botocore's model of the service."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.clients import Clients
from almanac.errors import RetryableError, TerminalError
from almanac.index.dense import DenseRow, RowKey
from almanac.index.filters import Filters
from almanac.index.s3vectors import MAX_METADATA, SLICES, S3Vectors, filter_of, index_name, metadata, slice_of
from almanac.index.sources import Kind
from infra.packaging import AWS_SERVICES

MODEL = ServiceModel(Loader().load_service_model("s3vectors", "service-2"), "s3vectors")
OPERATIONS = {xform_name(name): MODEL.operation_model(name) for name in MODEL.operation_names}
DIMENSIONS = 8


class Answer(dict[str, Any]):
    """An answer that knows no field but those of its shape."""

    def __init__(self, shape: Shape, values: Mapping[str, Any]) -> None:
        assert isinstance(shape, StructureShape)
        self._members = shape.members
        super().__init__({name: _answer(self._members[name], value) for name, value in values.items()})

    def __getitem__(self, name: str) -> Any:
        assert name in self._members, f"no field {name}"
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        assert name in self._members, f"no field {name}"
        return super().get(name, default)


def _answer(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure" and not shape.is_document_type:
        return Answer(shape, value)
    if shape.type_name == "list":
        return [_answer(shape.member, each) for each in value]
    return value


class Service(Clients):
    """S3 Vectors in memory, as its documentation has it. Requests must be valid, and answers are read from HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.vectors: dict[str, dict[str, Any]] = {}
        self.indexes: dict[str, dict[str, Any]] = {}
        self.errors: list[Exception] = []
        self.page = 1000

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        assert service == "s3vectors"
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in OPERATIONS:
            raise AttributeError(name)

        async def call(**arguments: Any) -> Answer:
            return self._call(name, OPERATIONS[name], arguments)

        return call

    def _call(self, name: str, operation: OperationModel, arguments: dict[str, Any]) -> Answer:
        assert operation.input_shape is not None
        assert operation.output_shape is not None
        report = ParamValidator().validate(arguments, operation.input_shape)
        assert not report.has_errors(), report.generate_report()
        request = create_serializer("rest-json").serialize_to_request(arguments, operation)
        assert len(request["body"]) <= 20 << 20
        self.calls.append((name, arguments))
        if self.errors:
            raise self.errors.pop(0)
        result = getattr(self, f"_{name}")(json.loads(request["body"]))
        response = {"status_code": 200, "headers": {}, "body": json.dumps(result).encode()}
        parsed = create_parser("rest-json").parse(response, operation.output_shape)
        parsed.pop("ResponseMetadata")
        return Answer(operation.output_shape, parsed)

    def _create_vector_bucket(self, _: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _create_index(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["indexName"] in self.indexes:
            raise refusal("ConflictException")
        self.indexes[asked["indexName"]] = asked
        return {}

    def _get_index(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["indexName"] not in self.indexes:
            raise refusal("NotFoundException")
        return {"index": {**self.indexes[asked["indexName"]], "indexArn": "arn", "creationTime": 1}}

    def _delete_index(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.indexes.pop(asked["indexName"], None) is None:
            raise refusal("NotFoundException")
        return {}

    def _put_vectors(self, asked: dict[str, Any]) -> dict[str, Any]:
        for vector in asked["vectors"]:
            assert any(vector["data"]["float32"]), "zero vectors are refused"
            assert len(json.dumps(vector["metadata"]).encode()) <= MAX_METADATA
        self.vectors |= {vector["key"]: vector for vector in asked["vectors"]}
        return {}

    def _delete_vectors(self, asked: dict[str, Any]) -> dict[str, Any]:
        for key in asked["keys"]:
            self.vectors.pop(key, None)
        return {}

    def _list_vectors(self, asked: dict[str, Any]) -> dict[str, Any]:
        keys, start = sorted(self.vectors), int(asked.get("nextToken", "0"))
        end = start + min(self.page, asked["maxResults"])
        found = {"vectors": [{"key": key} for key in keys[start:end]]}
        return found | ({"nextToken": str(end)} if end < len(keys) else {})

    def _query_vectors(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = np.array(asked["queryVector"]["float32"])
        found = []
        for vector in self.vectors.values():
            if passes(vector["metadata"], asked.get("filter", {})):
                data = np.array(vector["data"]["float32"])
                near = float(data @ query / np.linalg.norm(data) / np.linalg.norm(query))
                found.append({"key": vector["key"], "distance": 1 - near})
        return {"vectors": sorted(found, key=lambda each: each["distance"])[: asked["topK"]]}


def passes(fields: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Evaluate a filter as the documentation has it."""
    if "$and" in wanted:
        assert wanted["$and"]
        return all(passes(fields, each) for each in wanted["$and"])
    for name, test in wanted.items():
        ((operator, value),) = test.items()
        assert operator in {"$eq", "$in"}
        if operator == "$in":
            assert value, "an empty list is refused"
        if name not in fields or fields[name] not in (value if operator == "$in" else [value]):
            return False
    return True


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def row(number: int, **changes: Any) -> DenseRow:
    code = np.random.default_rng(number).integers(-127, 128, DIMENSIONS, dtype=np.int8)
    kind = list(Kind)[number % len(Kind)]
    fields = {"project_id": f"prj_{number % 2}", "kind": kind, "language": [None, "python", "go"][number % 3]}
    return DenseRow(RowKey(number, number * 977, 1, number % 5), code, **(fields | changes))


def side(service: Service) -> S3Vectors:
    return S3Vectors(service, "almanac-vectors", index_name("ten_1", "local-bge", 0), DIMENSIONS)


def stored(found: S3Vectors) -> list[RowKey]:
    async def listed() -> list[RowKey]:
        return [key async for key in found.stored()]

    return asyncio.run(listed())


def test_every_operation_that_is_used_is_one_of_the_service_and_its_model_is_deployed() -> None:
    service = Service()
    vectors = side(service)
    asyncio.run(vectors.create())
    asyncio.run(vectors.put([row(1)]))
    asyncio.run(vectors.nearest(row(1).code, Filters(kinds=frozenset({Kind.CODE})), 5))
    stored(vectors)
    asyncio.run(vectors.delete([row(1).key]))
    asyncio.run(vectors.drop())
    assert {name for name, _ in service.calls} == {
        "create_vector_bucket",
        "create_index",
        "get_index",
        "put_vectors",
        "query_vectors",
        "list_vectors",
        "delete_vectors",
        "delete_index",
    }
    assert "s3vectors" in AWS_SERVICES


@pytest.mark.blocks_the_loop("what the service does is done here, too")
def test_vectors_are_sent_in_groups_that_the_service_takes() -> None:
    service = Service()
    rows = [row(number) for number in range(1, 1202)]
    asyncio.run(side(service).put(rows))
    asyncio.run(side(service).delete([each.key for each in rows[:600]]))
    sizes = [len(asked.get("vectors") or asked["keys"]) for _, asked in service.calls]
    assert sizes == [500, 500, 201, 500, 100]
    service.page = 100
    assert sorted(stored(side(service))) == sorted(each.key for each in rows[600:])


@pytest.mark.blocks_the_loop("what the service does is done here, too")
def test_requests_of_large_vectors_hold_fewer_of_them() -> None:
    service = Service()
    rows = [DenseRow(RowKey(n, n, 1, 0), np.full(4096, -127, np.int8), "prj_1", Kind.CODE, "go") for n in range(20)]
    asyncio.run(S3Vectors(service, "almanac-vectors", index_name("ten_1", "i", 0), 4096).put(rows))
    assert [len(asked["vectors"]) for _, asked in service.calls] == [4, 4, 4, 4, 4]


def test_codes_arrive_as_they_are() -> None:
    service = Service()
    asyncio.run(side(service).put([row(3)]))
    (vector,) = service.vectors.values()
    assert np.array(vector["data"]["float32"], np.float32).astype(np.int8).tolist() == row(3).code.tolist()


def test_the_nearest_come_first_and_pass_the_filters() -> None:
    service = Service()
    rows = [row(number) for number in range(1, 400)]
    asyncio.run(side(service).put(rows))
    filters = Filters(kinds=frozenset({Kind.CODE, Kind.COMMIT}), languages=frozenset({"Python"}))
    found = asyncio.run(side(service).nearest(row(5).code, filters, 20))
    passing = [each for each in rows if each.kind in filters.kinds and each.language == "python"]
    order = sorted(passing, key=lambda each: -_cosine(each.code, row(5).code))
    assert [each.key for each in found] == [each.key for each in order[: len(found)]]
    assert found[0].similarity == pytest.approx(_cosine(order[0].code, row(5).code))


def test_more_than_one_query_may_return_is_asked_of_each_slice() -> None:
    service = Service()
    rows = [row(number) for number in range(1, 700)]
    asyncio.run(side(service).put(rows))
    service.calls.clear()
    found = asyncio.run(side(service).nearest(row(5).code, Filters(), 1000))
    assert [asked["topK"] for _, asked in service.calls] == [100] * SLICES
    assert {each.key for each in found} == {each.key for each in rows}
    assert [each.similarity for each in found] == sorted((each.similarity for each in found), reverse=True)


def _cosine(left: Any, right: Any) -> float:
    a, b = left.astype(float), right.astype(float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


some_filters = st.builds(
    Filters,
    projects=st.frozensets(st.sampled_from(["prj_0", "prj_1"])),
    kinds=st.frozensets(st.sampled_from(list(Kind))),
    languages=st.frozensets(st.sampled_from(["Python", "go"])),
    without_kinds=st.frozensets(st.sampled_from(list(Kind))),
    without_languages=st.frozensets(st.sampled_from(["go"])),
)


@given(some_filters, st.none() | st.integers(0, SLICES - 1), st.integers(1, 100))
def test_a_filter_passes_at_least_what_a_search_would(filters: Filters, part: int | None, number: int) -> None:
    each = row(number)
    wanted = filter_of(filters, part) or {}
    languages = {language.casefold() for language in filters.languages}
    searched = (
        (not filters.projects or each.project_id in filters.projects)
        and (not filters.kinds or each.kind in filters.kinds)
        and each.kind not in filters.without_kinds
        and (not languages or each.language in languages)
        and each.language not in {language.casefold() for language in filters.without_languages}
        and (part is None or part == slice_of(each.key))
    )
    assert passes(metadata(each), wanted) or not searched


@given(st.text(), st.text(), st.integers(0, 99))
def test_every_tenant_index_and_shard_has_a_name_of_its_own_that_the_service_takes(
    tenant: str, index: str, shard: int
) -> None:
    name = index_name(tenant, index, shard)
    shape = MODEL.shape_for("IndexName")
    assert shape.metadata["min"] <= len(name) <= shape.metadata["max"]
    assert name.replace("-", "").isalnum()
    assert name == name.lower()
    assert len({name, index_name(tenant + "x", index, shard), index_name(tenant, "x" + index, shard)}) == 3
    assert name != index_name(tenant, index, shard + 1)


def test_an_index_that_somebody_else_creates_meanwhile_is_as_good() -> None:
    service = Service()
    asyncio.run(side(service).create())
    service.errors = [refusal("NotFoundException")]
    asyncio.run(side(service).create())
    assert [name for name, _ in service.calls[-4:]] == [
        "get_index",
        "create_vector_bucket",
        "create_index",
        "get_index",
    ]


def test_an_index_of_another_shape_is_refused() -> None:
    service = Service()
    asyncio.run(side(service).create())
    asyncio.run(side(service).create())
    other = S3Vectors(service, "almanac-vectors", side(service).name, DIMENSIONS + 1)
    with pytest.raises(TerminalError, match="dimension"):
        asyncio.run(other.create())


def test_an_index_that_is_not_there_is_dropped_in_peace() -> None:
    asyncio.run(side(Service()).drop())


@pytest.mark.parametrize(
    "error",
    [
        *map(refusal, ["TooManyRequestsException", "ServiceUnavailableException", "InternalServerException"]),
        ConnectTimeoutError(endpoint_url="s3vectors"),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    service = Service()
    service.errors = [error]
    with pytest.raises(RetryableError):
        asyncio.run(side(service).put([row(1)]))


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ValidationException", "KmsDisabledException", "NotFoundException"]
)
def test_what_stays_is_told_by_its_code(code: str) -> None:
    service = Service()
    service.errors = [refusal(code)]
    with pytest.raises(TerminalError) as raised:
        asyncio.run(side(service).nearest(row(1).code, Filters(), 5))
    assert raised.value.code == code


def test_every_error_of_the_service_is_one_or_the_other() -> None:
    for operation in OPERATIONS.values():
        for shape in operation.error_shapes:
            service = Service()
            service.errors = [refusal(shape.name)]
            with pytest.raises((RetryableError, TerminalError)) as raised:
                asyncio.run(side(service).delete([row(1).key]))
            is_ours = shape.metadata.get("error", {}).get("httpStatusCode", 400) in {429, 500, 503}
            assert isinstance(raised.value, RetryableError) == is_ours, shape.name


def test_metadata_beyond_the_services_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(TerminalError, match="more metadata"):
        asyncio.run(side(Service()).put([row(1, language="x" * MAX_METADATA)]))
