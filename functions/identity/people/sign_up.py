"""Signing up: who may, and what is answered. Every address is answered alike, whether it may, does, or did."""

from typing import Literal

from almanac.aws.table import Table
from identity.people import directory
from identity.people.directory import Directory
from identity.people.errors import PasswordNotSet, PasswordRefused, SignInFailed, SignUpClosed
from identity.tenants.invitations import is_invited

Policy = Literal["invited", "open", "closed"]


class SignUp:
    """`policy` says who may sign up; `domains` are those whose addresses need no invitation."""

    def __init__(self, table: Table, pool: Directory, policy: Policy, domains: frozenset[str]) -> None:
        self._table = table
        self._pool = pool
        self._policy = policy
        self._domains = domains

    async def begin(self, email: str) -> None:
        """Send a code to an address that may sign up and did not yet. Raises `SignUpClosed` for every address."""
        if self._policy == "closed":
            raise SignUpClosed("Nobody can sign up here: ask whoever runs this service.")
        if await self._may(email):
            await self._pool.sign_up(email)

    async def confirm(self, email: str, code: str, password: str) -> directory.Tokens:
        """Finish signing up with the code that was sent, and sign in."""
        try:
            return await self._pool.confirm(email, code, password)
        except (SignInFailed, PasswordRefused):
            # It was confirmed some other way, or the pool is stricter than the form: the mailbox's holder has a way in.
            text = "The address is confirmed; set a password with `/auth/forgot-password`, then sign in."
            raise PasswordNotSet(text) from None

    async def _may(self, email: str) -> bool:
        if self._policy == "open" or email.rpartition("@")[2] in self._domains:
            return True
        return await is_invited(self._table, email)
