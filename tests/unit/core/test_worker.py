"""The queue worker: poison goes aside with its cause, its neighbours go on, and what may pass comes again."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import pytest
from pydantic import BaseModel, ValidationError

from almanac import tenancy
from almanac.aws.clients import Clients
from almanac.errors import RetryableError, TerminalError
from almanac.events import SyncRepository, sync_event
from almanac.observability import correlation_id
from almanac.worker.batch import MAX_RECEIVES, Deadline, Worker

SECRET = "hunter2"


@dataclass
class Queues:
    """Stands for SQS: remembers what was sent and postponed."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    postponed: dict[str, int] = field(default_factory=dict)
    broken: bool = False

    async def get(self, service: str) -> "Queues":
        assert service == "sqs"
        return self

    async def send_message(self, **message: Any) -> None:
        if self.broken:
            raise ConnectionError("no queue")
        self.sent.append(message)

    async def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:  # noqa: N803
        if self.broken:
            raise ConnectionError("no queue")
        self.postponed[ReceiptHandle] = VisibilityTimeout


def record(name: str, *, body: str | None = None, receives: int = 1) -> dict[str, Any]:
    message = SyncRepository(tenant_id="ten_1", correlation_id=f"from-{name}", repository_id=name, reason="push")
    return {
        "messageId": name,
        "receiptHandle": f"handle-{name}",
        "body": message.model_dump_json() if body is None else body,
        "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1767225600000"},
    }


Handle = Callable[[SyncRepository, Deadline], Awaitable[None]]
GiveUp = Callable[[SyncRepository, str, str], Awaitable[None]]


def work(
    records: list[dict[str, Any]],
    handle: Handle,
    queues: Queues,
    give_up: GiveUp | None = None,
    concurrency: int = 1,
    *,
    ordered: bool = False,
) -> list[str]:
    worker = Worker("test", "queue", "dead", sync_event, handle, give_up, concurrency, ordered)
    process = worker.process({"Records": records}, Deadline(monotonic() + 60), cast("Clients", queues))
    return [failure["itemIdentifier"] for failure in asyncio.run(process)["batchItemFailures"]]


def failing(errors: dict[str, Exception]) -> tuple[Handle, list[str]]:
    done: list[str] = []

    async def handle(message: SyncRepository, _: Deadline) -> None:
        if message.repository_id in errors:
            raise errors[message.repository_id]
        done.append(message.repository_id)

    return handle, done


def test_a_message_that_can_never_succeed_goes_aside_with_its_cause_and_its_neighbours_go_on() -> None:
    queues = Queues()
    handle, done = failing({"b": TerminalError("gone", "The repository is gone.")})
    assert work([record("a"), record("b"), record("c")], handle, queues) == []
    assert done == ["a", "c"]
    (letter,) = queues.sent
    assert letter["QueueUrl"] == "dead"
    assert json.loads(letter["MessageBody"])["repository_id"] == "b"
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {"code": "gone", "cause": "The repository is gone.", "worker": "test"}


def test_a_cause_that_sqs_would_refuse_is_made_sendable() -> None:
    queues = Queues()
    handle, _ = failing({"a": TerminalError("odd_path", "bad\x00 name \udcff, good \U0001f600")})
    assert work([record("a")], handle, queues) == []
    assert queues.sent[0]["MessageAttributes"]["cause"]["StringValue"] == "bad? name ?, good \U0001f600"


def test_neither_log_nor_dead_letter_quotes_input_that_did_not_validate(caplog: pytest.LogCaptureFixture) -> None:
    class Size(BaseModel):
        number: int

    async def handle(message: SyncRepository, _: Deadline) -> None:
        try:
            Size.model_validate({"number": SECRET})
        except ValidationError as error:
            raise ValueError(message.repository_id) from error

    async def strict(*_: object) -> None:
        Size.model_validate({"number": SECRET})

    queues = Queues()
    work([record("a")], handle, queues)
    work([record("b", receives=MAX_RECEIVES)], strict, queues)
    written = repr([(vars(entry), logging.Formatter().format(entry)) for entry in caplog.records]) + repr(queues.sent)
    assert "int_parsing at number" in written
    assert SECRET not in written


@pytest.mark.parametrize("body", ["", "{", "null", '{"kind": "unknown"}', '{"kind": "repository.sync"}'])
def test_a_body_that_is_no_message_goes_aside(body: str) -> None:
    queues = Queues()
    handle, done = failing({})
    assert work([record("a", body=body), record("b")], handle, queues) == []
    assert done == ["b"]
    assert queues.sent[0]["MessageAttributes"]["code"]["StringValue"] == "invalid_message"


@pytest.mark.parametrize("error", [RetryableError("busy"), ConnectionError("reset"), KeyError("surprise")])
def test_what_may_pass_comes_again_after_a_growing_pause(error: Exception) -> None:
    pauses = []
    for receives in range(1, MAX_RECEIVES):
        queues = Queues()
        handle, _ = failing({"a": error})
        assert work([record("a", receives=receives)], handle, queues) == ["a"]
        assert queues.sent == []
        pauses.append(queues.postponed["handle-a"])
    assert pauses == sorted(set(pauses))


def test_the_last_attempt_gives_up_and_leaves_a_cause_before_the_message_goes_aside() -> None:
    queues = Queues()
    handle, _ = failing({"a": RetryableError("still busy")})
    causes: list[tuple[str, str, int]] = []

    async def give_up(message: SyncRepository, code: str, cause: str) -> None:
        causes.append((message.repository_id, code, len(queues.sent)))

    assert work([record("a", receives=MAX_RECEIVES)], handle, queues, give_up) == []
    assert causes == [("a", "attempts_exhausted", 0)]
    assert len(queues.sent) == 1


def test_a_message_whose_cause_cannot_be_left_comes_again_and_harms_no_neighbour() -> None:
    queues = Queues()
    handle, done = failing({"a": TerminalError("gone", "gone")})

    async def give_up(message: SyncRepository, code: str, cause: str) -> None:
        raise ConnectionError("no table")

    assert work([record("a"), record("b")], handle, queues, give_up) == ["a"]
    assert done == ["b"]
    assert queues.sent == []


def test_a_dead_letter_queue_that_does_not_answer_loses_nothing() -> None:
    handle, _ = failing({"a": TerminalError("gone", "gone"), "b": RetryableError("busy")})
    assert work([record("a"), record("b")], handle, Queues(broken=True)) == ["a", "b"]


def test_no_more_messages_are_in_hand_than_allowed() -> None:
    in_hand, most = 0, 0

    async def handle(_: SyncRepository, __: Deadline) -> None:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await asyncio.sleep(0.005)
        in_hand -= 1

    assert work([record(str(number)) for number in range(9)], handle, Queues(), concurrency=3) == []
    assert most == 3


def test_each_message_works_under_the_correlation_id_that_it_carries() -> None:
    seen: dict[str, str] = {}

    async def handle(message: SyncRepository, _: Deadline) -> None:
        await asyncio.sleep(0.001)
        seen[message.repository_id] = correlation_id()

    work([record("a"), record("b"), record("c")], handle, Queues(), concurrency=3)
    assert seen == {"a": "from-a", "b": "from-b", "c": "from-c"}


def test_each_message_is_worked_off_and_given_up_for_its_own_tenant() -> None:
    seen: dict[str, set[str | None]] = {}

    async def handle(message: SyncRepository, _: Deadline) -> None:
        for _turn in range(3):
            seen.setdefault(message.tenant_id, set()).add(tenancy.bound())
            await asyncio.sleep(0)
        raise TerminalError("gone", "It is gone.")

    async def give_up(message: SyncRepository, *_: str) -> None:
        seen[message.tenant_id].add(tenancy.bound())

    tenants = [f"ten_{number}" for number in range(6)]
    records = [record("a", body=json.dumps({**json.loads(record("a")["body"]), "tenant_id": each})) for each in tenants]
    assert work(records, handle, Queues(), give_up, concurrency=3) == []
    assert seen == {tenant: {tenant} for tenant in tenants}
    assert tenancy.bound() is None


def grouped(name: str, group: str, *, receives: int = 1) -> dict[str, Any]:
    made = record(name, receives=receives)
    return {**made, "attributes": {**made["attributes"], "MessageGroupId": group}}


def test_in_a_queue_with_an_order_what_follows_a_failed_message_of_its_group_comes_again_behind_it() -> None:
    queues = Queues()
    handle, done = failing({"b": RetryableError("busy")})
    records = [grouped("a", "1"), grouped("b", "1"), grouped("x", "2"), grouped("c", "1"), grouped("y", "2")]
    assert work(records, handle, queues, concurrency=2, ordered=True) == ["b", "c"]
    assert sorted(done) == ["a", "x", "y"]
    # Together, so that neither is hidden for longer than the other.
    assert queues.postponed == {"handle-b": 5, "handle-c": 5}


def test_in_a_queue_with_an_order_the_messages_of_a_group_come_one_after_another() -> None:
    running: list[str] = []
    most = 0

    async def handle(message: SyncRepository, _: Deadline) -> None:
        nonlocal most
        running.append(message.repository_id)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.remove(message.repository_id)

    assert work([grouped(name, "1") for name in "abc"], handle, Queues(), concurrency=10, ordered=True) == []
    assert most == 1


def test_in_a_queue_with_an_order_poison_goes_aside_in_its_group_and_the_rest_goes_on() -> None:
    queues = Queues()
    handle, done = failing({"b": TerminalError("bad", "It is bad.")})
    records = [grouped("a", "1"), grouped("b", "1"), grouped("c", "1")]
    assert work(records, handle, queues, ordered=True) == []
    assert done == ["a", "c"]
    (dead,) = queues.sent
    assert (dead["MessageGroupId"], dead["MessageDeduplicationId"]) == ("1", "b")
