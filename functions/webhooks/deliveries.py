"""What every host's delivery comes down to: a proof, an effect and an identity."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from webhooks.errors import InvalidPayload


@dataclass(frozen=True)
class HeadsMoved:
    """Branches changed at the host."""


@dataclass(frozen=True)
class RepositoryMoved:
    """The repository has a new address, or none any more."""

    url: str | None


Effect = HeadsMoved | RepositoryMoved


class Delivery(Protocol):
    """One request of one host."""

    def is_proven(self, secrets: Sequence[str]) -> bool:
        """Tell whether one of `secrets` signed it; takes equally long for each of them and for none."""

    def effect(self) -> Effect | None:
        """Return what it asks for, None when it does not concern us; raises `InvalidPayload`, `MissingEvent`."""

    def identity(self) -> str:
        """Return what the host repeats when it sends the same delivery again: at most 64 characters."""


Payload = TypeVar("Payload", bound=BaseModel)


def parse(model: type[Payload], body: bytes) -> Payload:
    """Read a JSON body; raises `InvalidPayload` naming the field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise InvalidPayload("The body is not valid JSON.", field="body") from None
        field = ".".join(["body", *(str(part) for part in first["loc"])])
        raise InvalidPayload(f"{field}: {first['msg']}", field=field) from None


def matches_any(expected: Iterable[bytes], given: bytes) -> bool:
    """Compare in constant time, with every candidate: time does not tell which one matched."""
    return any([hmac.compare_digest(candidate, given) for candidate in expected])  # noqa: C419 - a generator would stop early


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
