"""What goes over a connection: JSON texts, each within what API Gateway passes on."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from realtime.model import MAX_EVENT_BYTES, Told


def subscribed(topic: str, sequence: int) -> str:
    return _frame("subscribed", topic=topic, sequence=sequence)


def unsubscribed(topic: str) -> str:
    return _frame("unsubscribed", topic=topic)


def pong() -> str:
    return _frame("pong")


def error(code: str, detail: str, **more: Any) -> str:
    return _frame("error", code=code, detail=detail, **more)


def events(topic: str, told: Sequence[Told]) -> Iterator[str]:
    """Yield frames with these events, in order, each frame as full as it may be."""
    texts: list[str] = []
    size = 0
    for event in told:
        length = len(event.text.encode()) + 1
        if texts and size + length > MAX_EVENT_BYTES:
            yield _events(topic, texts)
            texts, size = [], 0
        texts.append(event.text)
        size += length
    if texts:
        yield _events(topic, texts)


def _events(topic: str, texts: list[str]) -> str:
    return f'{{"type":"events","topic":{json.dumps(topic)},"events":[{",".join(texts)}]}}'


def _frame(type_: str, **more: Any) -> str:
    return json.dumps({"type": type_, **more}, separators=(",", ":"))
