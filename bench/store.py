"""A store for benchmarks that need no deployed stack: moto's server in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.harness import create_resources
from tests.support.store import CREDENTIALS, serve


@contextmanager
def store() -> Iterator[None]:
    """Serve the template's resources on loopback, with the functions' environment set, until the block ends."""
    with serve() as endpoint:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "POWERTOOLS_SERVICE_NAME": "bench"}
        os.environ |= create_resources(endpoint)
        yield


class StoreWait:
    """Counts the seconds between handing a request to the network and having the answer: the time that is not ours."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the calls of every aioboto3 and boto3 client inside the block."""
        from aiobotocore.httpsession import AIOHTTPSession
        from botocore.httpsession import URLLib3Session

        original, original_blocking = AIOHTTPSession.send, URLLib3Session.send

        async def send(session: Any, request: Any) -> Any:
            began = time.perf_counter()
            try:
                return await original(session, request)
            finally:
                self.seconds += time.perf_counter() - began

        def send_blocking(session: Any, request: Any) -> Any:
            began = time.perf_counter()
            try:
                return original_blocking(session, request)
            finally:
                self.seconds += time.perf_counter() - began

        AIOHTTPSession.send = send  # type: ignore[method-assign,assignment]
        URLLib3Session.send = send_blocking  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            AIOHTTPSession.send = original  # type: ignore[method-assign]
            URLLib3Session.send = original_blocking  # type: ignore[method-assign]


@contextmanager
def logs_aside() -> Iterator[None]:
    """Send what handlers log to a pipe that a process reads, as under Lambda, and keep stdout for the report."""
    sys.stdout.flush()
    kept = os.dup(1)
    reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert reader.stdin is not None
    os.dup2(reader.stdin.fileno(), 1)
    reader.stdin.close()
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        reader.wait()


def run(work: Any) -> Any:
    """Run a coroutine on the environment's loop."""
    from almanac import runtime

    return runtime.run(work)
