"""Amazon S3 Vectors as moto has it: everything but queries."""

from contextlib import suppress

import numpy as np
import pytest

from almanac import runtime
from almanac.errors import TerminalError
from almanac.index.dense import DenseRow, RowKey
from almanac.index.filters import Filters
from almanac.index.s3vectors import S3Vectors, index_name
from almanac.index.sources import Kind
from tests.integration.harness import Stack
from tests.integration.search.world import run

DIMENSIONS = 384
BUCKET = "almanac-vectors"


def rows(count: int) -> list[DenseRow]:
    codes = np.random.default_rng(0).integers(-127, 128, (count, DIMENSIONS), dtype=np.int8)
    return [
        DenseRow(RowKey(n, n, 1, 0), code, "prj_1", Kind.CODE, "python" if n % 2 else None)
        for n, code in enumerate(codes)
    ]


def side(stack: Stack, dimensions: int = DIMENSIONS) -> S3Vectors:
    return S3Vectors(runtime.clients(), BUCKET, index_name(stack.tenant(), "test-hash", 0), dimensions)


async def stored(vectors: S3Vectors) -> list[RowKey]:
    return sorted([key async for key in vectors.stored()])


def test_vectors_are_put_listed_and_deleted(stack: Stack) -> None:
    vectors, given = side(stack), rows(700)
    run(vectors.create())
    run(vectors.create())
    run(vectors.put(given))
    run(vectors.put(given[:3]))
    assert run(stored(vectors)) == [row.key for row in given]
    run(vectors.delete([row.key for row in given[:650]]))
    run(vectors.delete([given[0].key]))
    assert run(stored(vectors)) == [row.key for row in given[650:]]
    run(vectors.drop())
    run(vectors.drop())
    with pytest.raises(TerminalError) as raised:
        run(stored(vectors))
    assert raised.value.code == "NotFoundException"


def test_codes_and_metadata_are_kept_as_they_were_sent(stack: Stack) -> None:
    vectors, (even, odd) = side(stack), rows(2)
    run(vectors.create())
    run(vectors.put([even, odd]))
    keys = [even.key.text, odd.key.text]
    got = stack.client("s3vectors").get_vectors(
        vectorBucketName=BUCKET, indexName=vectors.name, keys=keys, returnData=True, returnMetadata=True
    )
    found = {vector["key"]: vector for vector in got["vectors"]}
    assert np.array_equal(np.array(found[odd.key.text]["data"]["float32"]), odd.code)
    assert found[odd.key.text]["metadata"] == {"project": "prj_1", "kind": "code", "language": "python", "slice": 1}
    assert "language" not in found[even.key.text]["metadata"]


def test_an_index_of_other_dimensions_is_refused(stack: Stack) -> None:
    vectors = side(stack)
    run(vectors.create())
    with pytest.raises(TerminalError, match="dimension"):
        run(S3Vectors(runtime.clients(), BUCKET, vectors.name, 16).create())
    wrong = DenseRow(RowKey(1, 1, 1, 0), np.ones(16, np.int8), "prj_1", Kind.CODE, None)
    with pytest.raises(TerminalError) as raised:
        run(vectors.put([wrong]))
    assert raised.value.code == "ValidationException"


def test_another_tenant_has_another_index(stack: Stack) -> None:
    mine, theirs = side(stack), side(stack)
    run(mine.create())
    run(theirs.create())
    run(mine.put(rows(3)))
    assert run(stored(theirs)) == []


def test_the_store_of_the_tests_has_no_queries(stack: Stack) -> None:
    """When moto learns `QueryVectors`, this fails: let the tests above ask for neighbours, too."""
    vectors = side(stack)
    run(vectors.create())
    run(vectors.put(rows(3)))
    answered = False
    with suppress(Exception):
        answered = bool(run(vectors.nearest(rows(1)[0].code, Filters(), 1)))
    assert not answered
