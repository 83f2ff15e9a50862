"""Logs, metrics and the correlation id that ties one request to every message it causes.

Log records hold ids, counts and durations, never bodies, headers or secrets.
"""

import os
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from almanac.ids import new_ulid

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Almanac"
_LONGEST_PLACE = 200

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def correlation_id() -> str:
    """Return the id of the current unit of work, making one when there is none."""
    current = _correlation_id.get()
    if current is None:
        current = new_ulid()
        _correlation_id.set(current)
    return current


def bind_correlation_id(value: str | None) -> str:
    """Set the id for the current context; `None` starts a fresh one. Returns the id in force."""
    bound = value or new_ulid()
    _correlation_id.set(bound)
    return bound


def trace_header() -> str | None:
    """Return the X-Ray header of the current invocation, to be carried across a queue hop.

    Lambda publishes it as `_X_AMZN_TRACE_ID`, changing with each invocation: the one variable that cannot be a setting.
    """
    return os.environ.get("_X_AMZN_TRACE_ID")


@cache
def logger() -> "Logger":
    """Return the process's structured JSON logger; the service name is `POWERTOOLS_SERVICE_NAME`."""
    from aws_lambda_powertools import Logger

    return Logger(use_rfc3339=True, utc=True, log_uncaught_exceptions=False)


def log(level: str, event: str, **fields: object) -> None:
    """Write one log line; `event` is a short constant phrase, everything that varies is a field."""
    getattr(logger(), level)(event, extra={"correlation_id": correlation_id(), "trace": trace_header(), **fields})


def log_failure(event: str, error: BaseException, **fields: object) -> None:
    """Write an unexpected error with its stack, for operators only."""
    extra = {"correlation_id": correlation_id(), "trace": trace_header(), **fields}
    logger().error(event, exc_info=without_input(error), extra=extra)


class Invalid(Exception):
    """Stands for a validation error where that is written down: its own text would quote the input."""


def without_input(error: BaseException) -> BaseException:
    """Return the error, or what stands for it when it is a validation error; the same for the errors behind it."""
    if error.__cause__ is not None:
        error.__cause__ = without_input(error.__cause__)
    elif error.__context__ is not None and not error.__suppress_context__:
        error.__context__ = without_input(error.__context__)
    found = getattr(error, "errors", None)
    if not callable(found):
        return error
    first = found()[0]
    place = ".".join(str(part) for part in first["loc"])
    shown = Invalid(f"{type(error).__name__}: {first['type']} at {place[:_LONGEST_PLACE]}, {len(found())} in all")
    shown.__cause__ = error.__cause__
    return shown.with_traceback(error.__traceback__)


def emit(values: Mapping[str, tuple[float, str]], **dimensions: str) -> None:
    """Publish metrics in the embedded metric format: name -> (value, CloudWatch unit)."""
    from aws_lambda_powertools.metrics import EphemeralMetrics

    metrics = EphemeralMetrics(namespace=NAMESPACE)
    for name, text in dimensions.items():
        metrics.add_dimension(name=name, value=text)
    for name, (value, unit) in values.items():
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()
