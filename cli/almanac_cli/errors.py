"""What a command can end with, for people and for scripts."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """The process's exit status. The stack's own commands (`up`, `down`, `status`, `logs`) use 0 to 3 alike."""

    OK = 0
    API_ERROR = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    UNAUTHORIZED = 5
    TIMEOUT = 6


EXIT_HELP = (
    "Exit codes: 0 done, 1 the API refused or failed, 2 wrong usage, 3 not reachable or not running, "
    "4 not found, 5 credentials missing or refused, 6 gave up waiting."
)


class CliError(Exception):
    """Ends a command: what happened, what to do about it, and the exit status."""

    def __init__(
        self, problem: str, way_out: str, status: Exit = Exit.API_ERROR, fields: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out
        self.status = status
        self.fields = dict(fields or {})

    def document(self) -> dict[str, Any]:
        """Return the error as a problem document."""
        given = {"title": self.status.name.replace("_", " ").capitalize(), "code": self.status.name.lower()}
        return {"type": "about:blank", **given, **self.fields, "detail": self.problem, "way_out": self.way_out}
