"""Letters that invite: nothing that somebody called a tenant or itself reaches a header or hides in a line."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from almanac.access import Role
from almanac.aws.clients import Clients
from identity.tenants.mail import Letter, Post, one_line
from identity.tenants.model import Invitation, Mail

INVITATION = Invitation(
    id="inv_1",
    tenant_id="ten_1",
    email="grace@example.org",
    role=Role.AUDITOR,
    invited_by="usr_1",
    created_at="2026-01-01T00:00:00.000Z",
    ends_at=1_800_000_000,
    days=7,
    token_sha256="0",
    mail=Mail.PENDING,
)


class Refusing(Clients):
    """A mail service that fails as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.sent: list[dict[str, Any]] = []

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        assert service == "sesv2"
        return self

    async def send_email(self, **letter: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(letter)


@given(tenant=st.text(), sender=st.text())
def test_a_subject_is_one_short_line_whatever_people_call_themselves(tenant: str, sender: str) -> None:
    letter = Letter.of(INVITATION, tenant, sender, "almi_token")
    assert letter.subject.isprintable()
    assert len(letter.subject) < 100
    assert all(line.isprintable() for line in letter.body.split("\n"))
    assert letter.body.count("\n") == Letter.of(INVITATION, "Acme", "", "almi_token").body.count("\n")


def test_a_line_break_and_what_turns_text_around_are_gone() -> None:
    assert one_line("Acme\r\nBcc: all@example.org\u2028x\u202egro") == "Acme Bcc: all@example.org x gro"


def test_a_letter_names_tenant_sender_role_token_and_end() -> None:
    letter = Letter.of(INVITATION, "Acme", "Ada", "almi_token")
    assert letter.subject == "Invitation to Acme"
    for part in ("Ada invites you", "Acme", "an auditor", "almanac invitations accept almi_token", "2027-01-15"):
        assert part in letter.body
    assert "almi_token" not in repr(letter)


def test_a_letter_goes_to_one_address_as_plain_text() -> None:
    service = Refusing()
    letter = Letter.of(INVITATION, "Acme", "Ada", "almi_token")
    assert asyncio.run(Post(service, "almanac@example.com").send(letter)) is None
    (sent,) = service.sent
    assert sent["Destination"] == {"ToAddresses": ["grace@example.org"]}
    assert list(sent["Content"]["Simple"]["Body"]) == ["Text"]


def test_a_failure_becomes_a_cause_that_tells_nothing_of_the_service() -> None:
    letter = Letter.of(INVITATION, "Acme", "Ada", "almi_token")
    secret = Refusing(ConnectionError("arn:aws:ses:eu-west-1:123456789012:identity/x"))
    for service, told in ((secret, "ConnectionError"), (Refusing(TimeoutError()), "in time")):
        cause = asyncio.run(Post(service, "almanac@example.com").send(letter))
        assert cause is not None
        assert told in cause
        assert "arn" not in cause
