"""A person at a client: signs up and in over HTTP, keeps its tokens, and calls with them."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from almanac.access import Caller, Person
from identity.people.directory import claims
from tests.integration.harness import Answer, Stack

PASSWORD = "Correct horse 1"
CODE = "123456"


def new_address() -> str:
    return f"{uuid.uuid4().hex}@example.org"


@dataclass
class Visitor:
    """`session` is what the last sign-in or refresh was answered with."""

    stack: Stack
    email: str = field(default_factory=new_address)
    password: str = PASSWORD
    session: dict[str, Any] = field(default_factory=dict)

    def auth(self, step: str, body: dict[str, Any], **headers: str) -> Answer:
        """Call one of the public routes."""
        return self.stack.call("identity", "POST", f"/api/v1/auth/{step}", body, headers=headers)

    def sign_up(self) -> "Visitor":
        """Sign up, confirm, and be signed in."""
        assert self.auth("sign-up", {"email": self.email}).status == 202
        answer = self.confirm()
        assert answer.status == 200, answer.text
        self.session = answer.json
        return self

    def confirm(self) -> Answer:
        body = {"email": self.email, "code": CODE, "name": "Ada Lovelace", "password": self.password}
        return self.auth("confirm", body, **{"user-agent": "the first client"})

    def sign_in(self, password: str | None = None) -> Answer:
        answer = self.auth("sign-in", {"email": self.email, "password": password or self.password})
        if answer.status == 200 and answer.json["status"] == "signed_in":
            self.session = answer.json
        return answer

    def refresh(self, token: str | None = None) -> Answer:
        answer = self.auth("refresh", {"refresh_token": token or self.session["refresh_token"]})
        if answer.status == 200:
            self.session = answer.json
        return answer

    def caller(self) -> Caller:
        """Return what the authorizer makes of the access token."""
        said = claims(self.session["access_token"])
        return Caller(Person(self.session["person_id"], self.email, said["origin_jti"]))

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Call as the signed-in person."""
        bearer = {"authorization": f"Bearer {self.session['access_token']}"}
        return self.stack.call(
            "identity", method, f"/api/v1/users/me{path}", body, caller=self.caller(), headers=bearer
        )

    def sessions(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.call("GET", "/sessions").json["items"]
        return listed
