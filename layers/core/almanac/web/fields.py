"""Field types that the schemas of several slices share."""

import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from almanac.ids import id_pattern

_TEXT_CONTROLS = {"\n", "\r", "\t"}


def _without_controls(allowed: set[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        for letter in text:
            if unicodedata.category(letter) == "Cc" and letter not in allowed:
                raise ValueError(f"the control character U+{ord(letter):04X} is not allowed")
        return text

    return check


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_without_controls(set())),
]
Description = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_without_controls(_TEXT_CONTROLS))]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_without_controls(set()))]
MetadataValue = Annotated[str, StringConstraints(max_length=500), AfterValidator(_without_controls(_TEXT_CONTROLS))]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue],
    Field(max_length=32, description="Up to 32 texts by name.", examples=[{"environment": "production"}]),
]

ProjectId = Annotated[str, Field(pattern=id_pattern("prj"), examples=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
ActorId = Annotated[str, Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
RepositoryId = Annotated[str, Field(examples=["rep_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
CheckpointId = Annotated[str, Field(pattern=id_pattern("chk"), examples=["chk_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
MessageId = Annotated[str, Field(examples=["msg_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
CollectionId = Annotated[str, Field(pattern=id_pattern("col"), examples=["col_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
DocumentId = Annotated[str, Field(pattern=id_pattern("doc"), examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Moment = Annotated[str, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]
Version = Annotated[int, Field(description="Counts the edits; an update sends it back.", examples=[1])]
NextCursor = Annotated[str | None, Field(description="Send it as `cursor` to get the next page; null at the end.")]


def optional(**described: Any) -> Any:
    """Return the field of an update that may be left out. The default is never read, and so not shown."""
    return Field(default=None, json_schema_extra=_hide_default, **described)


def _hide_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


class Request(BaseModel):
    """A request's body: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


class Update(Request):
    """A change of what the caller read. What is left out stays as it is."""

    version: int = Field(
        ge=1,
        le=2**53,
        description="The `version` that was read. When it is no longer current, nothing is changed (409).",
        examples=[1],
    )

    def changes(self) -> dict[str, object]:
        """Return what was given, without the version."""
        return self.model_dump(exclude_unset=True, exclude={"version"})
