"""Forms that all of identity shares."""

from typing import Annotated

from pydantic import Field, StringConstraints

from almanac.ids import id_pattern

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
TenantId = Annotated[str, Field(pattern=id_pattern("ten"), examples=["ten_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Moment = Annotated[str, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]
