"""Health: shallow by default, every part by name when asked, and never a way to hammer the store."""

import asyncio
from collections.abc import Iterator

import pytest

from console import wiring
from console.service import Health
from tests.integration.harness import Stack

QUEUES = ("sync", "projects", "embedding", "index", "identity", "documents", "realtime")
PARTS = {"table", "bucket", *(f"{queue}_queue" for queue in QUEUES)}


@pytest.fixture(autouse=True)
def _fresh_health() -> Iterator[None]:
    wiring.health.cache_clear()
    yield
    wiring.health.cache_clear()


def test_a_shallow_look_touches_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "health", None)
    answer = stack.call("console", "GET", "/health")
    assert (answer.status, answer.json) == (200, {"status": "ok", "version": "0.1.0", "stage": "test"})


def test_a_deep_look_names_every_part_with_its_latency(stack: Stack) -> None:
    answer = stack.call("console", "GET", "/health", query={"deep": "true"})
    assert answer.status == 200
    assert set(answer.json["parts"]) == PARTS
    assert all(part["status"] == "ok" and part["milliseconds"] > 0 for part in answer.json["parts"].values())


def test_a_failing_part_is_named_and_the_answer_is_unavailable(
    stack: Stack, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = wiring.settings().model_copy(
        update={"bucket": "no-such-bucket", "sync_queue_url": "http://127.0.0.1:9/q"}
    )
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    answer = stack.call("console", "GET", "/health", query={"deep": "true"})
    assert (answer.status, answer.json["code"]) == (503, "unhealthy")
    failed = {name for name, part in answer.json["parts"].items() if part["status"] == "failed"}
    assert failed == {"bucket", "sync_queue"}
    assert "no-such-bucket" not in answer.text
    refused.clear()


def test_many_looks_within_seconds_are_one_look() -> None:
    looks = 0

    async def check() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)

    async def many(health: Health) -> None:
        await asyncio.gather(*(health.look() for _ in range(50)))
        await health.look()

    asyncio.run(many(Health({"part": check})))
    assert looks == 1
    asyncio.run(many(Health({"part": check}, kept_seconds=-1)))
    assert looks == 52


def test_a_part_that_hangs_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.service._TIMEOUT_SECONDS", 0.02)

    async def hangs() -> None:
        await asyncio.sleep(30)

    async def works() -> None:
        pass

    found = asyncio.run(Health({"hangs": hangs, "works": works}).look())
    assert (found["hangs"].ok, found["works"].ok) == (False, True)
