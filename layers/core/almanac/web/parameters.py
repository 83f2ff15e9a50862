"""Parameters that the routes of several slices take."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator

from almanac import moments

_EARLIEST_YEAR = 2000


def _readable(text: str) -> str:
    if moments.parse(text, datetime.now(UTC)).year < _EARLIEST_YEAR:
        raise ValueError(f"write a time after {_EARLIEST_YEAR}")
    return text


Moment = Annotated[
    Annotated[str, AfterValidator(_readable)] | None,
    Query(max_length=40, description="As in `2026-01-31`, `2026-01-31T12:00:00Z` or `7d` (m, h, d, w before now)."),
]
ActorId = Annotated[
    str,
    Path(
        description="A person (`usr_`), a service account (`svc_`), or an API key of none (`key_`).",
        examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"],
    ),
]
