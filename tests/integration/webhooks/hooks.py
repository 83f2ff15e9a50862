"""Connected repositories and deliveries for the webhook tests."""

import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from almanac import runtime
from almanac.aws import keys
from almanac.aws.secrets import Secrets
from almanac.aws.table import Put, Table
from almanac.ids import new_id
from tests.integration.harness import Answer, Stack

SECRET = "It's a Secret to Everybody"
PUSH = {"ref": "refs/heads/main", "after": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"}


@dataclass
class Connected:
    """A repository with a hook, and the host that sends its deliveries."""

    stack: Stack
    tenant: str
    secret: str
    repository: str = field(default_factory=lambda: new_id("rep"))

    def save(self, *older: str, rotated_until: float | None = None, state: str = "active") -> None:
        """Write the hook with the current secret, and `older` ones that stay valid until the given epoch second."""
        secrets = Secrets(self.stack.environment["ALMANAC_KEY_ID"], runtime.clients())
        ciphers = [
            runtime.run(secrets.encrypt(plain, tenant_id=self.tenant, resource_id=self.repository))
            for plain in (self.secret, *older)
        ]
        item = {
            **keys.hook(self.tenant, self.repository).as_dict(),
            "entity": "hook",
            "state": state,
            "project_id": new_id("prj"),
            "secrets_cipher": ciphers,
            "rotated_until": int(rotated_until) if rotated_until else None,
        }
        runtime.run(Table("almanac", runtime.clients()).write(Put(item, overwrite=True)))

    def github(
        self,
        payload: Any = PUSH,
        *,
        event: str | None = "push",
        delivery: str | None = None,
        secret: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a signed GitHub delivery; a header given by name replaces the right one."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"x-hub-signature-256": sign(secret or self.secret, body), "content-type": "application/json"}
        sent |= {"x-github-event": event} if event is not None else {}
        sent |= {"x-github-delivery": delivery or f"{time.time_ns():032x}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post("github", body, sent)

    def gitlab(
        self, payload: Any = PUSH, *, event: str | None = "Push Hook", token: str | None = None, **headers: str
    ) -> Answer:
        """Send a GitLab delivery with its token."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"x-gitlab-token": token or self.secret, "content-type": "application/json"}
        sent |= {"x-gitlab-event": event} if event is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post("gitlab", body, sent)

    def post(self, host: str, body: bytes, headers: dict[str, str]) -> Answer:
        path = f"/api/v1/webhooks/{host}/{self.tenant}/{self.repository}"
        return self.stack.call("webhooks", "POST", path, body, headers=headers)

    def queued(self) -> list[dict[str, Any]]:
        """Take the messages that the deliveries for this tenant caused so far."""
        bodies = [json.loads(item["body"]["S"]) for item in self.stack.outbox()]
        return [body for body in bodies if body["tenant_id"] == self.tenant]


def sign(secret: str, body: bytes) -> str:
    """Sign as GitHub does; written again here, so that the tests do not trust the code that they test."""
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def connected(stack: Stack, secret: str = SECRET) -> Connected:
    repository = Connected(stack, stack.tenant(), secret)
    repository.save()
    return repository
