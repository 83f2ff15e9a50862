"""Stream entry: every inserted outbox item becomes a message on its queue."""

import base64
from functools import cache
from typing import Any

from almanac import runtime
from almanac.aws import outbox
from almanac.aws.table import Item, Table, plain
from almanac.observability import bind_correlation_id, emit, log
from almanac.settings import RelaySettings


@cache
def settings() -> RelaySettings:
    return RelaySettings.load()


def handler(event: dict[str, Any], context: Any) -> None:
    """Send the batch's messages. An error brings the whole batch again, which repeats messages and loses none."""
    bind_correlation_id(getattr(context, "aws_request_id", None))
    sent = runtime.run(relay(event))
    if sent:
        emit({"Relayed": (sent, "Count")}, worker="relay")
        log("info", "relayed", messages=sent)


async def relay(event: dict[str, Any]) -> int:
    """Deliver the outbox items among the records; returns how many there were."""
    items = [item for record in event["Records"] if (item := _outbox_item(record)) is not None]
    if not items:
        return 0
    table = Table(settings().table, runtime.clients())
    return await outbox.deliver(items, table, runtime.clients(), settings().queue_url)


def _outbox_item(record: dict[str, Any]) -> Item | None:
    if record["eventName"] != "INSERT":
        return None
    image = record["dynamodb"].get("NewImage", {})
    if image.get("entity") != {"S": outbox.ENTITY}:
        return None
    return plain({name: _from_stream(value) for name, value in image.items()})


def _from_stream(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64decode(value["B"])} if "B" in value else value
