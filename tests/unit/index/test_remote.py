"""What is said between the function that searches and those that hold shards."""

import asyncio
import io
import json
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from almanac.aws.clients import Clients
from almanac.errors import Unavailable
from almanac.events import MessageOrigin
from almanac.index import remote
from almanac.index.bm25 import TermStatistics
from almanac.index.manifest import Awaited, Directory, IndexInfo, ManifestState, PartRef, SegmentEntry, Snapshot
from almanac.index.remote import LambdaInvoker, Pin, RemoteShard, ShardUnavailable, pack, pins, serve, unpack
from almanac.index.retrieval import Candidates, Query
from almanac.index.segments import Model
from almanac.index.shards import Counted, shard_of
from almanac.index.visibility import AsOf, Facts, View

MODEL = Model(name="test:hash", fingerprint="f1", dimensions=8)
PIN = Pin("ten_1", "test-hash", 0, MODEL, (), (), Facts())
QUERY = Query("parse", None, 0.7)


async def empty(_: Pin) -> View:
    return View([], Facts())


@given(
    st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text(st.characters(), max_size=9), max_size=4),
    arrays(np.float64, st.integers(0, 9)),
    arrays(np.uint64, st.integers(0, 9)),
)
def test_messages_keep_every_bit(values: dict[str, Any], floats: Any, numbers: Any) -> None:
    found = unpack(pack(values, {"floats": floats, "numbers": numbers}))
    assert found.values == values
    assert found.arrays["floats"].tobytes() == floats.tobytes()
    assert found.arrays["numbers"].tobytes() == numbers.tobytes()


@pytest.mark.parametrize("message", ["", "%%%", "aGVsbG8="])
def test_what_is_no_message_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="not a message"):
        unpack(message)


def test_pins_are_read_from_one_state_and_hold_each_shards_own() -> None:
    names = [f"message:{number}" for number in range(40)]
    origin = MessageOrigin(message_id="msg_1", version=1)
    state = ManifestState(
        directory=Directory({"i": IndexInfo("i", "test:hash", shards=3)}),
        awaiting={name: Awaited(name, origin, f"tenants/ten_1/batches/{name}", "chk_1", name, 2) for name in names[:20]}
        | {"run": Awaited("run", origin, "tenants/ten_1/batches/run", "rep_1")},
        log={
            "i": {
                "b" * 64: SegmentEntry("i", "b" * 64, 2, 20, "f1", 1),
                "a" * 64: SegmentEntry("i", "a" * 64, 1, 10, "f1", 1),
            }
        },
        snapshots={"i": {1: Snapshot("i", 1, 4, "f1", PartRef("c" * 64, 9, 90), (PartRef("d" * 64, 3, 30),))}},
        erased=dict.fromkeys(names[20:], 7),
        drops={"prj_9"},
    )
    now = pins("ten_1", state, "i", MODEL)
    assert [[part.sha256[0] for part in pin.parts] for pin in now] == [[], ["c", "a", "b"], []]
    then = pins("ten_1", state, "i", MODEL, AsOf(5, {"rep_1": 3}))
    assert [part.sha256[0] for part in then[1].parts] == ["c", "a", "b", "d"]
    for pin in now:
        assert pin.facts.drops == {"prj_9"}
        assert set(pin.facts.erased) == {name for name in names[20:] if shard_of(name, 3) == pin.shard}
        assert {each.source_id for each in pin.awaiting} == {n for n in names[:20] if shard_of(n, 3) == pin.shard}


def test_a_pin_arrives_as_it_was_sent() -> None:
    origin = MessageOrigin(message_id="msg_1", version=1)
    awaited = Awaited("msg_1", origin, "key", "chk_1", "message:1", 2, "2026-01-01T00:00:00Z")
    facts = Facts({"message:1": 3}, frozenset({"prj_1"}), {"rep_1": 2}, AsOf(123, {"rep_1": 4}, {"rep_1": "main"}))
    pin = Pin("ten_1", "test-hash", 2, MODEL, (PartRef("a" * 64, 3, 99),), (awaited,), facts)
    arrived: list[Pin] = []

    async def opened(asked: Pin) -> View:
        arrived.append(asked)
        return View([], Facts())

    shard = RemoteShard(lambda message: serve(message, opened), pin)
    assert asyncio.run(shard.count(QUERY)) == Counted(TermStatistics(0, 0, {"pars": 0}), 0)
    assert arrived == [pin]


def test_another_release_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def other(message: str) -> str:
        monkeypatch.setattr(remote, "PROTOCOL", remote.PROTOCOL + 1)
        return await serve(message, empty)

    with pytest.raises(ShardUnavailable):
        asyncio.run(RemoteShard(other, PIN).count(QUERY))


def test_an_index_that_cannot_be_read_fails_the_call() -> None:
    async def broken(_: Pin) -> View:
        raise Unavailable("A part of the search index cannot be read.")

    with pytest.raises(ShardUnavailable):
        asyncio.run(RemoteShard(lambda message: serve(message, broken), PIN).count(QUERY))


def test_what_would_not_fit_into_a_call_is_refused_and_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_MESSAGE", 10)
    with pytest.raises(ShardUnavailable):
        asyncio.run(RemoteShard(lambda message: serve(message, empty), PIN).count(QUERY))


def test_candidates_that_get_lost_are_missed() -> None:
    async def lossy(_: str) -> str:
        columns = {name: np.empty(0) for name in Candidates.__dataclass_fields__}
        return pack({"values": {"total": 5}}, columns)

    with pytest.raises(ShardUnavailable):
        asyncio.run(RemoteShard(lossy, PIN).candidates(QUERY, TermStatistics(0, 0, {})))


class Body(io.BytesIO):
    """The payload of an answer as aioboto3 gives it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close()

    async def read(self) -> bytes:  # type: ignore[override]
        return super().read()


class Lambda(Clients):
    """Clients whose Lambda answers from a list."""

    def __init__(self, *answers: object) -> None:
        super().__init__()
        self.answers = list(answers)
        self.invoked: list[str] = []

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        assert service == "lambda"
        return self

    async def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.invoked.append(FunctionName)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer == "crash":
            return {"Payload": Body(b'{"errorType": "Runtime.ExitError"}'), "FunctionError": "Unhandled"}
        return {"Payload": Body(json.dumps({"message": f"{json.loads(Payload)['message']}!"}).encode())}


def test_a_function_that_crashed_is_invoked_again() -> None:
    clients = Lambda("crash", "crash", "ok")
    assert asyncio.run(LambdaInvoker(clients, ["one"]).of(3)("hello")) == "hello!"
    assert clients.invoked == ["one"] * 3


@pytest.mark.parametrize(
    "answers",
    [
        ("crash", "crash", "crash"),
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke"),),
        (ConnectTimeoutError(endpoint_url="lambda"),),
    ],
)
def test_a_function_that_stays_away_fails_the_call(answers: tuple[object, ...]) -> None:
    with pytest.raises(ShardUnavailable):
        asyncio.run(LambdaInvoker(Lambda(*answers), ["one"]).of(0)("hello"))


def test_a_function_that_is_late_fails_the_call() -> None:
    class Late(Lambda):
        async def invoke(self, **_: Any) -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(ShardUnavailable):
        asyncio.run(LambdaInvoker(Late(), ["one"], seconds=0.01).of(0)("hello"))


def test_several_functions_share_the_shards() -> None:
    clients = Lambda(*["ok"] * 5)

    async def all_shards() -> None:
        for shard in range(5):
            await LambdaInvoker(clients, ["one", "two"]).of(shard)("hello")

    asyncio.run(all_shards())
    assert clients.invoked == ["one", "two", "one", "two", "one"]
    with pytest.raises(ValueError, match="at least one function"):
        LambdaInvoker(clients, [])
