"""Whether a text denies something."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re

_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nothing|nobody|neither|nor|cannot|without|"
    r"не|нет|ни|никогда|никто|ничто|нельзя|без)\b|n['’]t\b",
    re.IGNORECASE,
)


def is_negated(text: str) -> bool:
    return _NEGATION.search(text) is not None
