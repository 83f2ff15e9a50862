"""One store for all integration tests of a run; every test works in tenants of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac import runtime
from tests.integration.harness import Stack, create_resources
from tests.support import matrix
from tests.support.roles import enforced, roles
from tests.support.store import CREDENTIALS, serve
from tests.support.user_pool import gaps_filled


@pytest.fixture(scope="session")
def _session_stack() -> Iterator[Stack]:
    with serve() as endpoint, pytest.MonkeyPatch.context() as patch:
        names = {
            "AWS_ENDPOINT_URL": endpoint,
            "POWERTOOLS_SERVICE_NAME": "test",
            "POWERTOOLS_METRICS_NAMESPACE": "Almanac",
        }
        for name, value in {**CREDENTIALS, **names}.items():
            patch.setenv(name, value)
        environment = create_resources(endpoint)
        for name, value in environment.items():
            patch.setenv(name, value)
        stack = Stack(endpoint, environment)
        with gaps_filled(stack.client("cognito-idp"), environment["ALMANAC_USER_POOL_ID"]):
            yield stack
        runtime.run(runtime.clients().close())
        runtime.loop().close()


@pytest.fixture(scope="session")
def _refused(_session_stack: Stack) -> Iterator[list[str]]:
    with enforced() as refused:
        yield refused
    if path := os.environ.get("ALMANAC_CALL_MATRIX"):
        Path(path).write_text(matrix.report(roles()))


@pytest.fixture
def refused(_refused: list[str]) -> list[str]:
    """Return what the functions' roles refused so far in the test; it fails unless it takes these out."""
    _refused.clear()
    return _refused


@pytest.fixture
def stack(_session_stack: Stack, refused: list[str]) -> Iterator[Stack]:
    """Return the stack with empty queues, and every function held to its role in the template."""
    _session_stack.invoked.clear()
    yield _session_stack
    _session_stack.reset()
    assert not refused
