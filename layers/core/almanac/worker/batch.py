"""Queue workers: one SQS batch in, the messages that must come again out.

A message that cannot succeed goes to the dead-letter queue with its cause and its neighbours go on. One that may
succeed later becomes visible again after a growing pause. A worker that dies mid-way leaves its messages to SQS.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from almanac import runtime, tenancy
from almanac.aws.clients import Clients
from almanac.errors import TerminalError
from almanac.events import Event
from almanac.observability import bind_correlation_id, emit, log, log_failure, without_input

MAX_RECEIVES = 4
_PAUSE_SECONDS = 5
# What SQS refuses in a text: a cause may quote a path of any bytes.
_UNSENDABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Message = TypeVar("Message", bound=Event)
Response = dict[str, list[dict[str, str]]]


@dataclass(frozen=True)
class Deadline:
    """When the invocation ends, on the monotonic clock."""

    at: float

    def remaining(self) -> float:
        """Return the seconds that are left."""
        return self.at - monotonic()


@dataclass(frozen=True)
class Worker(Generic[Message]):
    """How one queue is worked off.

    `handle` is idempotent. `give_up` leaves a cause where the user can see it; it runs before the message goes to the
    dead-letter queue. `concurrency` messages of a batch are in hand at once. With `ordered`, for first-in-first-out
    queues, that many groups: the messages of a group come one after another, and after one that failed the rest comes
    again behind it.
    """

    name: str
    queue_url: str
    dead_letter_queue_url: str
    parser: TypeAdapter[Any]
    handle: Callable[[Message, Deadline], Awaitable[None]]
    give_up: Callable[[Message, str, str], Awaitable[None]] | None = None
    concurrency: int = 1
    ordered: bool = False

    def handler(self, event: dict[str, Any], context: Any) -> Response:
        """The Lambda entry point."""
        deadline = Deadline(monotonic() + context.get_remaining_time_in_millis() / 1000)
        return runtime.run(self.process(event, deadline, runtime.clients()))

    async def process(self, event: dict[str, Any], deadline: Deadline, clients: Clients) -> Response:
        """Work off a batch and name the messages that failed."""
        slots = asyncio.Semaphore(self.concurrency)

        async def one(record: dict[str, Any]) -> bool:
            try:
                return await self._one(record, deadline, clients)
            except Exception as error:  # noqa: BLE001 - whatever befell this message is none of its neighbours'
                log_failure("message could not be settled", error, worker=self.name)
                return False

        async def in_turn(group: list[dict[str, Any]]) -> list[str]:
            async with slots:
                for place, record in enumerate(group):
                    if not await one(record):
                        for later in group[place + 1 :]:
                            await self._postpone(later, clients)
                        return [each["messageId"] for each in group[place:]]
            return []

        failed = await asyncio.gather(*(in_turn(group) for group in self._groups(event["Records"])))
        return {"batchItemFailures": [{"itemIdentifier": message_id} for group in failed for message_id in group]}

    def _groups(self, records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Return what must come one after another, together."""
        if not self.ordered:
            return [[record] for record in records]
        groups: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)
        return list(groups.values())

    async def _one(self, record: dict[str, Any], deadline: Deadline, clients: Clients) -> bool:
        try:
            message: Message = self.parser.validate_json(record["body"])
        except ValidationError as error:
            bind_correlation_id(None)
            cause = f"the body is not a message that this worker knows: {error.error_count()} errors"
            await self._dead_letter(record, "invalid_message", cause, clients)
            return True
        bind_correlation_id(message.correlation_id)
        # For this message alone: each is worked off in a task of its own.
        tenancy.bind(message.tenant_id)
        self._record_lag(record)
        try:
            await self.handle(message, deadline)
        except TerminalError as error:
            await self._give_up(record, message, error.code, error.cause, clients)
        except Exception as error:  # noqa: BLE001 - anything else may pass; it comes again until its receives are used up
            log_failure("message failed", error, worker=self.name, kind=getattr(message, "kind", ""))
            if _receives(record) < MAX_RECEIVES:
                await self._postpone(record, clients)
                return False
            await self._give_up(record, message, "attempts_exhausted", _cause(error), clients)
        return True

    async def _give_up(self, record: dict[str, Any], message: Message, code: str, cause: str, clients: Clients) -> None:
        if self.give_up is not None:
            await self.give_up(message, code, cause)
        await self._dead_letter(record, code, cause, clients)

    async def _dead_letter(self, record: dict[str, Any], code: str, cause: str, clients: Clients) -> None:
        log("error", "message given up", worker=self.name, code=code, message_id=record["messageId"])
        emit({"DeadLettered": (1, "Count")}, worker=self.name)
        attributes = {"code": code, "cause": _UNSENDABLE.sub("?", cause[:1000]) or "unknown", "worker": self.name}
        place: dict[str, str] = {}
        if self.ordered:
            # The dead-letter queue of a first-in-first-out queue is one.
            group = record["attributes"]["MessageGroupId"]
            place = {"MessageGroupId": group, "MessageDeduplicationId": record["messageId"]}
        sqs = await clients.get("sqs")
        await sqs.send_message(
            QueueUrl=self.dead_letter_queue_url,
            MessageBody=record["body"],
            MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()},
            **place,
        )

    async def _postpone(self, record: dict[str, Any], clients: Clients) -> None:
        pause = _PAUSE_SECONDS * 2 ** (_receives(record) - 1)
        sqs = await clients.get("sqs")
        try:
            await sqs.change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=pause
            )
        except Exception as error:  # noqa: BLE001 - without it the message merely comes back later
            log_failure("could not shorten the pause", error, worker=self.name)

    def _record_lag(self, record: dict[str, Any]) -> None:
        sent = int(record.get("attributes", {}).get("SentTimestamp", 0)) / 1000
        if sent:
            emit({"QueueLag": (max(0.0, time() - sent) * 1000, "Milliseconds")}, worker=self.name)


def _cause(error: Exception) -> str:
    shown = without_input(error)
    return f"{type(shown).__name__}: {shown}"


def _receives(record: dict[str, Any]) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
