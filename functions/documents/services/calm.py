"""What callers are told when the table is too busy for a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from almanac.errors import Busy, RetryableError


@contextmanager
def calm() -> Iterator[None]:
    """Say `Busy` where a worker would try again later."""
    try:
        yield
    except RetryableError:
        raise Busy from None
