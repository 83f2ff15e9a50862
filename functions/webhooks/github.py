"""GitHub: https://docs.github.com/webhooks/webhook-events-and-payloads."""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import parse_qs

from pydantic import BaseModel, Field

from webhooks.deliveries import Effect, HeadsMoved, RepositoryMoved, matches_any, parse, sha256
from webhooks.errors import InvalidPayload, MissingEvent

_FORM = "application/x-www-form-urlencoded"
_DELIVERY_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_BRANCH = "refs/heads/"
_MOVES = {"renamed", "transferred"}

Url = Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2048)]


class Ping(BaseModel):
    zen: str = ""


class Push(BaseModel):
    ref: str


class RefChange(BaseModel):
    """`create` and `delete`."""

    ref_type: Literal["branch", "tag"]


class RepositoryAction(BaseModel):
    action: str


class RepositoryDetails(BaseModel):
    clone_url: Url


class RepositoryMove(BaseModel):
    repository: RepositoryDetails


@dataclass(frozen=True)
class GithubDelivery:
    """`body` holds the bytes as sent; the signature covers nothing else."""

    body: bytes
    signature: str | None
    event: str | None
    delivery_id: str | None
    content_type: str

    def is_proven(self, secrets: Sequence[str]) -> bool:
        given = (self.signature or "").encode()
        return matches_any((sign(secret, self.body).encode() for secret in secrets), given)

    def effect(self) -> Effect | None:
        match self.event:
            case None | "":
                raise MissingEvent("Send the event's name in X-GitHub-Event.", field="header.x-github-event")
            case "ping":
                # Sent once, when the hook is set up: what was pushed since the repository was connected is due now.
                parse(Ping, self._json())
                return HeadsMoved()
            case "push":
                return HeadsMoved() if parse(Push, self._json()).ref.startswith(_BRANCH) else None
            case "create" | "delete":
                return HeadsMoved() if parse(RefChange, self._json()).ref_type == "branch" else None
            case "repository":
                return self._repository()
        return None

    def identity(self) -> str:
        # The signature does not cover the delivery's id. For a sync that is no matter; a rename or deletion of long
        # ago must not come back under a new id, so those are known by their content.
        if self.event != "repository" and self.delivery_id and _DELIVERY_ID.fullmatch(self.delivery_id):
            return self.delivery_id
        return sha256(self.body)

    def _repository(self) -> Effect | None:
        action = parse(RepositoryAction, self._json()).action
        if action == "deleted":
            return RepositoryMoved(url=None)
        if action in _MOVES:
            return RepositoryMoved(url=parse(RepositoryMove, self._json()).repository.clone_url)
        return None

    def _json(self) -> bytes:
        if self.content_type.partition(";")[0].strip().lower() != _FORM:
            return self.body
        try:
            (payload,) = parse_qs(self.body.decode(), strict_parsing=True, max_num_fields=4)["payload"]
        except (ValueError, KeyError):
            raise InvalidPayload("The form has no single field `payload`.", field="body.payload") from None
        return payload.encode()


def sign(secret: str, body: bytes) -> str:
    """Return the value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
