"""The base of every error that a caller sees, and what several slices say. Others live next to what raises them."""

from typing import Any, ClassVar


class AppError(Exception):
    """An error with a stable `code`, rendered as problem+json (RFC 9457).

    `detail` is written for the caller and says what to do; it never holds internals, bodies or secrets.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, field: str | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.extra = extra
        self.headers: dict[str, str] = {}


class BadRequest(AppError):
    status = 400
    code = "bad_request"
    title = "Bad request"


class Unauthorized(AppError):
    status = 401
    code = "unauthorized"
    title = "Unauthorized"


class Forbidden(AppError):
    status = 403
    code = "forbidden"
    title = "Forbidden"


class NotFound(AppError):
    """The resource does not exist, or belongs to another tenant: the two are not told apart."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(AppError):
    status = 409
    code = "conflict"
    title = "Conflict"


class TooLarge(AppError):
    status = 413
    code = "too_large"
    title = "Too large"


class Unprocessable(AppError):
    status = 422
    code = "validation_failed"
    title = "Validation failed"


class Unavailable(AppError):
    """A dependency does not answer; the same call may succeed later."""

    status = 503
    code = "unavailable"
    title = "Unavailable"


class VersionConflict(Conflict):
    """It was changed since the caller read it. `current_version` is what it is at now."""

    code = "version_conflict"

    def __init__(self, current: int) -> None:
        super().__init__("It was changed since: read it again.", field="body.version", current_version=current)


class Busy(Unavailable):
    """Too many changes at once; nothing was changed by this call."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__("This is being changed by many calls at once: try again.")
        self.headers["retry-after"] = "1"


class TerminalError(Exception):
    """Work on a queue that can never succeed. `code` is stable; the text is a cause that a person understands."""

    def __init__(self, code: str, cause: str) -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause


class RetryableError(Exception):
    """Work on a queue that may succeed later: throttling, a lost connection, a busy lease."""
