"""What is wrong with a query, and where."""

import unicodedata

_SHOWN = 60
"""How much of a query an error shows around the place that it is about."""


class QuerySyntaxError(ValueError):
    """The query can mean nothing. `position` and `length` are of the part at fault; the message tells the way out."""

    def __init__(self, message: str, query: str, position: int, length: int) -> None:
        super().__init__(message)
        self.message = message
        self.query = query
        self.position = position
        self.length = length

    @property
    def pointer(self) -> str:
        """Two lines: the query around the place, and carets under it."""
        start = max(0, self.position - _SHOWN // 2)
        end = start + _SHOWN
        length = max(1, min(self.length, end - self.position))
        shown = "".join(
            " " if unicodedata.category(character)[0] == "C" else character for character in self.query[start:end]
        )
        before, marked = shown[: self.position - start], shown[self.position - start :][:length]
        left, right = "..." if start else "", "..." if end < len(self.query) else ""
        carets = "^" * max(1, sum(map(_columns, marked)))
        return f"{left}{shown}{right}\n{' ' * (len(left) + sum(map(_columns, before)))}{carets}"


def _columns(character: str) -> int:
    """Return how wide a character is where all letters are of one width; marks stand upon the letter before them."""
    if unicodedata.category(character)[0] == "M":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
