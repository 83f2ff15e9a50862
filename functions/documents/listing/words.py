"""How names are compared: without regard to case, and to how a letter is composed."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """Return a text as it is compared."""
    return unicodedata.normalize("NFKC", text).casefold()


def words(text: str) -> list[str]:
    """Return a text's words as they are compared. Example: `q3`, `report`, `pdf` of `Q3_Report.pdf`."""
    return _WORD.findall(folded(text))


def begins(wanted: list[str], text: str) -> bool:
    """Tell whether each of the wanted words begins one of a text's."""
    there = words(text)
    return all(any(word.startswith(begin) for word in there) for begin in wanted)
