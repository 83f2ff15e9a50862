"""What can go wrong with people, their sessions and their sign-in."""

from typing import ClassVar

from almanac.errors import AppError, Conflict, Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable


class SignUpClosed(Forbidden):
    """Nobody may sign up."""

    code = "sign_up_closed"


class SignInFailed(Unauthorized):
    """Address and password do not belong together, for whichever reason: none is told apart."""

    code = "sign_in_failed"


class SignInAgain(Unauthorized):
    """The user pool no longer takes the access token."""

    code = "sign_in_again"


class RefreshRefused(Unauthorized):
    """The refresh token is of no session, of one that is over, or was used already."""

    code = "refresh_refused"


class CodeRefused(Unprocessable):
    """A code is wrong, expired or used."""

    code = "code_refused"


class PasswordRefused(Unprocessable):
    """The user pool does not take the password."""

    code = "password_refused"


class AddressRefused(Unprocessable):
    """The user pool does not take the address."""

    code = "address_refused"


class PasswordNotSet(Conflict):
    """The address is confirmed, and its password could not be set."""

    code = "password_not_set"


class ManagedElsewhere(Conflict):
    """The person signed in with another issuer, which has its password and second factor."""

    code = "managed_elsewhere"


class PersonChanged(Conflict):
    """Somebody else changed the person meanwhile."""

    code = "person_changed"


class SessionNotFound(NotFound):
    """The caller has no such session."""

    code = "session_not_found"


class TooManyAttempts(AppError):
    """The user pool asks for patience."""

    status: ClassVar[int] = 429
    code: ClassVar[str] = "too_many_attempts"
    title: ClassVar[str] = "Too many attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds, then try again.")
        self.headers = {"retry-after": str(seconds)}


class DirectoryUnavailable(Unavailable):
    """The user pool does not answer."""

    code = "directory_unavailable"
