"""A store for benchmarks that need no deployed stack: moto's server in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.harness import create_resources


@contextmanager
def store() -> Iterator[None]:
    """Serve the template's resources on loopback, with the functions' environment set, until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(endpoint)
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ENDPOINT_URL": endpoint, "POWERTOOLS_SERVICE_NAME": "bench"}
        os.environ |= create_resources(endpoint)
        yield
    finally:
        server.terminate()
        server.wait()


def _await(endpoint: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()  # noqa: S310 - our own server
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the store did not start at {endpoint}")


class StoreWait:
    """Counts the seconds between handing a request to the network and having the answer: the time that is not ours."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the calls of every aioboto3 client inside the block."""
        from aiobotocore.httpsession import AIOHTTPSession

        original = AIOHTTPSession.send

        async def send(session: Any, request: Any) -> Any:
            began = time.perf_counter()
            try:
                return await original(session, request)
            finally:
                self.seconds += time.perf_counter() - began

        AIOHTTPSession.send = send  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            AIOHTTPSession.send = original  # type: ignore[method-assign]


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
