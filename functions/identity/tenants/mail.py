"""Letters that invite, by Amazon SES. Plain text, short, and nothing in them but what an invitation is about."""

import asyncio
import unicodedata
from dataclasses import dataclass, field
from typing import Self

from almanac.aws.clients import Clients, error_code
from almanac.observability import log_failure
from identity.tenants.model import Invitation, Mail

_SEND_SECONDS = 8
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Letter:
    """One letter. The subject is one line."""

    to: str
    subject: str
    body: str = field(repr=False)

    @classmethod
    def of(cls, invitation: Invitation, tenant: str, sender: str, token: str) -> Self:
        """Return the letter for an invitation."""
        tenant, sender = one_line(tenant), one_line(sender)
        who = f"{sender} invites you" if sender else "You are invited"
        article = "an" if invitation.role.value[0] in "aeiou" else "a"
        body = (
            f"{who} to the tenant {tenant} of Almanac, as {article} {invitation.role}.\n\n"
            f"Sign up or sign in with this address, then accept:\n\n"
            f"    almanac invitations accept {token}\n\n"
            f"The invitation is good for one use until {invitation.ends()[:10]}. If you do not expect it, ignore it.\n"
        )
        return cls(invitation.email, f"Invitation to {tenant}", body)


@dataclass(frozen=True)
class Post:
    """Sends letters from one address; without an address it sends none."""

    clients: Clients
    sender: str

    @property
    def begins(self) -> Mail:
        """The state of a letter that is not sent yet."""
        return Mail.PENDING if self.sender else Mail.NOT_CONFIGURED

    async def send(self, letter: Letter) -> str | None:
        """Send a letter; returns why it could not be sent, None when SES took it."""
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                client = await self.clients.get("sesv2")
                await client.send_email(
                    FromEmailAddress=self.sender,
                    Destination={"ToAddresses": [letter.to]},
                    Content={
                        "Simple": {
                            "Subject": {"Data": letter.subject, "Charset": "UTF-8"},
                            "Body": {"Text": {"Data": letter.body, "Charset": "UTF-8"}},
                        }
                    },
                )
        except TimeoutError:
            return "The mail service did not answer in time."
        except Exception as error:  # noqa: BLE001 - the invitation stands, whatever befell its letter
            log_failure("letter not sent", error)
            return f"The mail service refused the letter ({error_code(error) or type(error).__name__})."
        return None


def one_line(text: str) -> str:
    """Return text for people, short and on one line: nothing in it ends a header or hides."""
    shown = "".join(letter if letter.isprintable() else " " for letter in unicodedata.normalize("NFC", text))
    return " ".join(shown.split())[:_LONGEST_NAME]
