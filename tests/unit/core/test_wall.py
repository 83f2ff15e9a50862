"""Tenants' sessions: one request for each, renewed while it serves, and never another tenant's."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from almanac import tenancy
from almanac.aws.wall import BoundCredentials, Session, Sessions, WallClosed, lasting

pytestmark = pytest.mark.usefixtures("no_log")


@pytest.fixture
def no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("almanac.aws.wall.log_failure", lambda *_, **__: None)


@dataclass
class Sts:
    """Stands for STS: gives sessions of a set length, and remembers for whom."""

    seconds: float = 3600
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def assume(self, tenant_id: str) -> Session:
        self.asked.append(tenant_id)
        await self.open.wait()
        if self.broken:
            raise ConnectionError("no STS")
        return Session(f"{tenant_id}/{len(self.asked)}", time.time() + self.seconds)


@dataclass
class Own:
    """A function's own credentials."""

    async def get_frozen_credentials(self) -> str:
        return "own"


@pytest.fixture
def sts() -> Sts:
    given = Sts()
    given.open.set()
    return given


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_second_call_for_a_tenant_asks_nobody(sts: Sts) -> None:
    async def main() -> None:
        sessions = Sessions(sts.assume)
        assert await sessions.of("ten_1") == await sessions.of("ten_1") == "ten_1/1"

    asyncio.run(main())
    assert sts.asked == ["ten_1"]


def test_a_hundred_first_calls_at_once_ask_once(sts: Sts) -> None:
    sts.open.clear()

    async def main() -> None:
        sessions = Sessions(sts.assume)
        calls = [asyncio.create_task(sessions.of("ten_1")) for _ in range(100)]
        await _settled()
        # One who gives up ends it for nobody else.
        calls[0].cancel()
        await _settled()
        sts.open.set()
        assert set(await asyncio.gather(*calls[1:])) == {"ten_1/1"}

    asyncio.run(main())
    assert sts.asked == ["ten_1"]


def test_a_session_near_its_end_serves_while_the_next_is_fetched(sts: Sts) -> None:
    sts.seconds = 300

    async def main() -> None:
        sessions = Sessions(sts.assume)
        await sessions.of("ten_1")
        sts.seconds = 3600
        assert await sessions.of("ten_1") == "ten_1/1"
        await _settled()
        assert await sessions.of("ten_1") == "ten_1/2"
        await _settled()

    asyncio.run(main())
    assert sts.asked == ["ten_1", "ten_1"]


def test_what_must_outlast_the_call_is_signed_with_a_session_that_does(sts: Sts) -> None:
    sts.seconds = 700

    async def main() -> None:
        sessions = Sessions(sts.assume)
        await sessions.of("ten_1")
        sts.seconds = 3600
        with lasting(900):
            assert await sessions.of("ten_1") == "ten_1/2"
        assert await sessions.of("ten_1") == "ten_1/2"

    asyncio.run(main())


def test_a_renewal_that_fails_leaves_the_old_session_serving_and_is_tried_again(sts: Sts) -> None:
    sts.seconds = 300

    async def main() -> None:
        sessions = Sessions(sts.assume)
        await sessions.of("ten_1")
        sts.broken = True
        assert await sessions.of("ten_1") == "ten_1/1"
        await _settled()
        sts.broken, sts.seconds = False, 3600
        assert await sessions.of("ten_1") == "ten_1/1"
        await _settled()
        assert await sessions.of("ten_1") == "ten_1/3"

    asyncio.run(main())


def test_a_session_that_has_ended_is_never_used(sts: Sts) -> None:
    sts.seconds = 10

    async def main() -> None:
        sessions = Sessions(sts.assume)
        assert [await sessions.of("ten_1"), await sessions.of("ten_1")] == ["ten_1/1", "ten_1/2"]
        sts.broken = True
        with pytest.raises(WallClosed):
            await sessions.of("ten_1")

    asyncio.run(main())


def test_without_a_session_a_call_fails_and_the_next_one_asks_again(sts: Sts) -> None:
    sts.broken = True

    async def main() -> None:
        sessions = Sessions(sts.assume)
        with pytest.raises(WallClosed):
            await sessions.of("ten_1")
        sts.broken = False
        assert await sessions.of("ten_1") == "ten_1/2"

    asyncio.run(main())


def test_the_tenant_that_was_used_longest_ago_is_given_up_first(sts: Sts) -> None:
    async def main() -> None:
        sessions = Sessions(sts.assume, most=2)
        for tenant in ("ten_1", "ten_2", "ten_1", "ten_3", "ten_1", "ten_2"):
            await sessions.of(tenant)

    asyncio.run(main())
    assert sts.asked == ["ten_1", "ten_2", "ten_3", "ten_2"]


def test_each_task_signs_for_the_tenant_that_it_is_bound_to_and_a_thread_for_its_tasks(sts: Sts) -> None:
    async def main() -> None:
        async def own() -> Own:
            return Own()

        credentials = BoundCredentials(Sessions(sts.assume), own)

        async def call(tenant: str | None) -> tuple[str, str]:
            if tenant is not None:
                tenancy.bind(tenant)
            await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            signing = credentials.get_frozen_credentials
            there = await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(signing(), loop).result())
            return (await signing()).split("/")[0], there.split("/")[0]

        tenants = [f"ten_{number % 7}" for number in range(50)]
        assert await asyncio.gather(*map(call, tenants)) == [(tenant, tenant) for tenant in tenants]
        assert await call(None) == ("own", "own")

    asyncio.run(main())


def test_a_function_without_credentials_signs_with_none(sts: Sts) -> None:
    async def nothing() -> None:
        return None

    async def main() -> None:
        assert await BoundCredentials(Sessions(sts.assume), nothing).get_frozen_credentials() is None

    asyncio.run(main())
