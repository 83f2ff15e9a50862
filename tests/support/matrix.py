"""The matrix of a run of the integration tests: each kind of call that the code made, and who may make it.

`ALMANAC_CALL_MATRIX=<file> pytest tests/integration` writes it as Markdown, with the grants that no call made use of.
"""

from collections.abc import Iterator

from tests.support.policies import Request
from tests.support.roles import OWN, STRANGERS, Roles, told


def report(roles: Roles) -> str:
    """Return what was judged so far, a line for each kind of call."""
    lines = ["| function | call | its tenant | another | none |", "|---|---|---|---|---|"]
    for function, request, tenant in sorted(roles.judged(), key=str):
        lines.append(f"| {function} | `{told(request)}` | {' | '.join(_cells(roles, function, request, tenant))} |")
    unused = [f"- {function}: {action}" for function, action in sorted(set(_unused(roles)))]
    return "\n".join([*lines, "", "Granted, and used by no call of this run:", "", *unused, ""])


def _cells(roles: Roles, function: str, request: Request, tenant: str | None) -> tuple[str, str, str]:
    by_itself = _word(roles.may(function, request))
    if tenant is None:
        return "-", "-", by_itself
    others = _word(any(roles.may(function, request, stranger) for stranger in STRANGERS))
    return _word(roles.may(function, request, OWN)), others, by_itself


def _word(allowed: bool) -> str:
    return "yes" if allowed else "no"


def _unused(roles: Roles) -> Iterator[tuple[str, str]]:
    used = {(function, request.action) for function, request, _ in roles.judged()}
    for function in {function for function, _ in used}:
        for statement in [*roles.own(function), *roles.data(function)]:
            if statement["Effect"] == "Allow":
                yield from ((function, action) for action in statement["Action"] if (function, action) not in used)
