"""One store for all integration tests of a run; every test works in tenants of its own."""

import logging
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from almanac import runtime
from tests.integration.harness import Stack, create_resources


@pytest.fixture(scope="session")
def _session_stack() -> Iterator[Stack]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "test")
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Almanac")
        environment = create_resources(endpoint)
        for name, value in environment.items():
            patch.setenv(name, value)
        yield Stack(endpoint, environment)
        runtime.run(runtime.clients().close())
        runtime.loop().close()
    server.stop()


@pytest.fixture
def stack(_session_stack: Stack) -> Iterator[Stack]:
    """Return the stack with empty queues."""
    _session_stack.invoked.clear()
    yield _session_stack
    _session_stack.reset()
