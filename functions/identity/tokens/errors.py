"""Why a token does not open the API. Callers hear only that it does not; the log has the reason."""


class TokenRefused(Exception):
    """`reason` is a stable word for the log; nothing of the token is in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerUnavailable(Exception):
    """An issuer's keys were never read and cannot be now: no verdict, since the token may be good."""
