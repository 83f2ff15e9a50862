"""A language model for tests: says what it is told to."""

from collections.abc import Callable

from almanac.llm.base import Completion, Reply

Line = str | Exception | Callable[[Completion], str]


class ScriptedModel:
    """Gives its lines in turn, the last one again and again: a text, an error, or what a function makes of the request.

    `requests` records what it was asked.
    """

    name = "test:scripted"

    def __init__(self, *lines: Line) -> None:
        self._lines = list(lines)
        self.requests: list[Completion] = []

    async def complete(self, request: Completion) -> Reply:
        self.requests.append(request)
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        if isinstance(line, Exception):
            raise line
        text = line if isinstance(line, str) else line(request)
        return Reply(text, tokens_in=len(request.messages), tokens_out=len(text.split()), stopped="end")
