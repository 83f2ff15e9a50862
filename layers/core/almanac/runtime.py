"""The execution environment of one Lambda function: its event loop, its clients, its loop watch."""

import asyncio
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

from almanac.aws.clients import Clients
from almanac.loop_watch import start_reporting
from almanac.settings import WallSettings

Result = TypeVar("Result")


@cache
def clients() -> Clients:
    """Return the environment's AWS clients."""
    return Clients(WallSettings.load().data_role_arn)


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Return the environment's one event loop, watched for callbacks that block it."""
    created = asyncio.new_event_loop()
    asyncio.set_event_loop(created)
    start_reporting()
    return created


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end on the environment's loop."""
    return loop().run_until_complete(work)
