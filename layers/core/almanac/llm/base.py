"""The port of every language model: instructions and messages in, text out.

A model that is asked with a `schema` answers in JSON of that form if its provider can be held to one. It may break its
word: whoever asks checks what comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from almanac.errors import RetryableError, TerminalError

Role = Literal["user", "assistant"]
Stop = Literal["end", "length", "refused"]


class ModelBusy(RetryableError):
    """The provider is throttling, down, or slower than it may be: the same request may succeed later."""


class ModelRefused(TerminalError):
    """The provider will never take such a request, or its answer has not the form that it promises."""


@dataclass(frozen=True)
class Message:
    role: Role
    text: str


@dataclass(frozen=True)
class Completion:
    """What a model is asked. `schema` is a JSON schema whose root is an object; None asks for plain text."""

    system: str
    messages: Sequence[Message]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1200


@dataclass(frozen=True)
class Reply:
    """What a model wrote. `stopped` tells whether it came to its end, was cut at `max_tokens`, or would not answer."""

    text: str
    tokens_in: int
    tokens_out: int
    stopped: Stop


class LanguageModel(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """The configured name. Example: `bedrock:anthropic.claude-3-5-haiku-20241022-v1:0`."""

    async def complete(self, request: Completion) -> Reply:
        """Return the model's answer; raises `ModelBusy` or `ModelRefused`."""
