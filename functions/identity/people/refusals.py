"""What the user pool refuses, in our words: nothing in them tells whether it knows an address."""

from almanac.observability import log
from identity.people.errors import (
    CodeRefused,
    DirectoryUnavailable,
    PasswordRefused,
    SignInAgain,
    SignInFailed,
    TooManyAttempts,
)

# How long to wait: for a pool that is asked too much, and for one account, whose lockout lasts up to 15 minutes.
_BUSY_SECONDS, _LOCKED_SECONDS = 5, 900
_LOCKED = {"LimitExceededException", "TooManyFailedAttemptsException"}
_OUT_OF_ORDER = {"InternalErrorException", "ServiceUnavailable", "UnexpectedLambdaException"}
WRONG_CODE = {"CodeMismatchException", "ExpiredCodeException", "EnableSoftwareTokenMFAException"}
UNKNOWN = {"NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException", "AliasExistsException"}
_NOT_TOLD = UNKNOWN | _LOCKED | {"InvalidParameterException", "PasswordResetRequiredException"}


class Refused(Exception):
    """The pool refused a call; `code` is its error's name. Never leaves `Directory`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def judge(code: str, message: str, *, own: bool) -> Exception:
    """Return what an error of the pool is to us. Only who is signed in (`own`) is told that its account is locked."""
    if code in _OUT_OF_ORDER:
        return DirectoryUnavailable("The directory of people does not answer: try again.")
    if code == "TooManyRequestsException":
        return TooManyAttempts(_BUSY_SECONDS)
    if own and (code in _LOCKED or "attempts exceeded" in message.lower()):
        return TooManyAttempts(_LOCKED_SECONDS)
    return Refused(code, message)


def failed(refused: Refused) -> Exception:
    """Return why nobody was signed in: the same for every reason that has to do with an account."""
    if refused.code in _NOT_TOLD:
        return SignInFailed(
            "The address or the password is wrong, the address is not confirmed yet, or there were too many attempts: "
            "wait some minutes, or reset the password."
        )
    return unforeseen(refused)


def wrong_code(refused: Refused) -> Exception:
    """Return why a code was not taken: the same for every reason that has to do with an account."""
    if refused.code not in WRONG_CODE | _NOT_TOLD:
        return unforeseen(refused)
    return CodeRefused("The code is wrong, has expired or was used: ask for another one.", field="body.code")


def is_password(refused: Refused) -> bool:
    """Tell whether it is a new password that the pool does not take."""
    return refused.code in {"InvalidPasswordException", "PasswordHistoryPolicyViolationException"}


def bad_password(where: str) -> PasswordRefused:
    """Return the refusal of a new password in the field `where`."""
    return PasswordRefused("Choose another password: longer, and none that you had before.", field=where)


def again(refused: Refused) -> Exception:
    """Return why a session does not go on."""
    if refused.code not in UNKNOWN:
        return unforeseen(refused)
    return SignInAgain("The session is over: sign in again.")


def unforeseen(refused: Refused) -> DirectoryUnavailable:
    """Return what stands for a refusal that means a defect, of ours or of the configuration."""
    log("error", "the user pool refused what it should not", code=refused.code)
    return DirectoryUnavailable("The directory of people does not work at the moment.")


def check_token(refused: Refused) -> None:
    """Raise `SignInAgain` when it is the access token that was refused, and no password or code."""
    if refused.code == "NotAuthorizedException" and "token" in refused.message.lower():
        raise again(refused) from None
