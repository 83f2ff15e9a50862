"""GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/.

Its token proves the sender and does not cover the body. Nothing of the body is therefore trusted: a push only says
that it is time to look at the remote.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from webhooks.deliveries import Effect, HeadsMoved, matches_any, parse, sha256
from webhooks.errors import MissingEvent

_BRANCH = "refs/heads/"


class Push(BaseModel):
    ref: str


@dataclass(frozen=True)
class GitlabDelivery:
    body: bytes
    token: str | None
    event: str | None
    idempotency_key: str | None
    event_uuid: str | None

    def is_proven(self, secrets: Sequence[str]) -> bool:
        given = sha256((self.token or "").encode()).encode()
        return matches_any((sha256(secret.encode()).encode() for secret in secrets), given)

    def effect(self) -> Effect | None:
        if not self.event:
            raise MissingEvent("Send the event's name in X-Gitlab-Event.", field="header.x-gitlab-event")
        if self.event != "Push Hook":
            return None
        return HeadsMoved() if parse(Push, self.body).ref.startswith(_BRANCH) else None

    def identity(self) -> str:
        if self.idempotency_key:
            return sha256(self.idempotency_key.encode())
        # Older versions send only the event's UUID, which hooks that trigger each other share.
        return sha256((self.event_uuid or "").encode() + b"\n" + self.body)
