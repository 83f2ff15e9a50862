"""IAM's decision, for the part of its language that template.yaml uses: what this does not know, it refuses to judge.

Statements are read as the template writes them; a resource is named by its logical id (`Table/index/due`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*", "?", "$"}
_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition", "Principal"}


@dataclass(frozen=True)
class Request:
    """One action on one resource, with the values of its condition keys; a key that a request lacks is left out."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.action, self.resource, tuple(sorted(self.context.items()))))

    def values(self, key: str) -> Sequence[str] | None:
        """Return a condition key's values: their names have no case."""
        found = {name.lower(): values for name, values in self.context.items()}
        return found.get(key.lower())


class Unknown(Exception):
    """A policy says something that this file cannot judge."""


def allows(statements: Sequence[Statement], request: Request) -> bool:
    """Tell whether policies allow a request: some statement allows it, and none denies it."""
    effects = {statement["Effect"] for statement in statements if applies(statement, request)}
    return effects == {"Allow"}


def applies(statement: Statement, request: Request) -> bool:
    """Tell whether a statement speaks of a request."""
    if unknown := set(statement) - _KNOWN:
        raise Unknown(f"elements {sorted(unknown)} of a statement")
    named = "Resource" not in statement or any(
        _like(name_of(pattern), request.resource, request) for pattern in _list(statement["Resource"])
    )
    acts = any(_like(action.lower(), request.action.lower(), request) for action in _list(statement["Action"]))
    conditions = statement.get("Condition", {})
    return (
        named
        and acts
        and all(
            _holds(operator, key, [str(value) for value in _list(wanted)], request)
            for operator, keys in conditions.items()
            for key, wanted in keys.items()
        )
    )


def name_of(resource: Any) -> str:
    """Return a resource by its logical id: `!GetAtt Table.Arn` is `Table`, `${Bucket.Arn}/x/*` is `Bucket/x/*`."""
    if isinstance(resource, str):
        return resource
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    return _VARIABLE.sub(_substituted, str(resource["Fn::Sub"]))


def _substituted(match: re.Match[str]) -> str:
    name = match[1]
    return f"${{{name[1:]}}}" if name.startswith("!") else name.removesuffix(".Arn")


def _holds(operator: str, key: str, wanted: Sequence[str], request: Request) -> bool:
    quantifier, _, rest = operator.rpartition(":")
    base, optional = rest.removesuffix("IfExists"), rest.endswith("IfExists")
    values = request.values(key)
    if base == "Null":
        return any((values is None) == (want == "true") for want in wanted)
    if base not in _TESTS or quantifier not in {"", "ForAllValues", "ForAnyValue"}:
        raise Unknown(f"the operator {operator}")
    test, negated = _TESTS[base]

    def matches(value: str) -> bool:
        return any(test(want, value, request) for want in wanted) != negated

    if quantifier == "ForAllValues":
        return all(matches(value) for value in values or ())
    if values is None:
        return optional or (negated and not quantifier)
    if quantifier == "ForAnyValue":
        return any(matches(value) for value in values)
    if len(values) != 1:
        raise Unknown(f"{operator} of the {len(values)} values of {key}")
    return matches(values[0])


def _like(pattern: str, value: str, request: Request) -> bool:
    """Match with wildcards. A variable's own value has none, and one that the request lacks matches nothing."""
    expression = ""
    at = 0
    for match in _VARIABLE.finditer(pattern):
        known = [match[1]] if match[1] in _LITERALS else request.values(match[1])
        if known is None or len(known) != 1:
            return False
        expression += _wild(pattern[at : match.start()]) + re.escape(known[0])
        at = match.end()
    return re.fullmatch(expression + _wild(pattern[at:]), value, re.DOTALL) is not None


def _wild(text: str) -> str:
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def _equal(pattern: str, value: str, request: Request) -> bool:
    escaped = re.sub(r"[*?](?![^{]*\})", lambda match: f"${{{match[0]}}}", pattern)
    return _like(escaped, value, request)


def _equal_without_case(pattern: str, value: str, request: Request) -> bool:
    return _equal(pattern.lower(), value.lower(), request)


# What compares, and whether the operator holds where it does not.
_TESTS = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_without_case, False),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnLike": (_like, False),
    "ArnEquals": (_like, False),
    "Bool": (_equal_without_case, False),
}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
