"""One store for all integration tests of a run; every test works in tenants of its own."""

from collections.abc import Iterator

import pytest

from almanac import runtime
from tests.integration.harness import Stack, create_resources
from tests.support.store import CREDENTIALS, serve


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
        yield Stack(endpoint, environment)
        runtime.run(runtime.clients().close())
        runtime.loop().close()


@pytest.fixture
def stack(_session_stack: Stack) -> Iterator[Stack]:
    """Return the stack with empty queues."""
    _session_stack.invoked.clear()
    yield _session_stack
    _session_stack.reset()
