"""What every test stands under: no test may hold the event loop for longer than production would tolerate."""

from collections.abc import Iterator

import pytest

from almanac.loop_watch import Blocked, LoopWatch

MARKER = "blocks_the_loop(reason): the test holds the event loop on purpose"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def _blocked() -> Iterator[list[Blocked]]:
    found: list[Blocked] = []
    watch = LoopWatch(found.append)
    watch.start()
    yield found
    watch.stop()


@pytest.fixture(autouse=True)
def _loop_is_never_blocked(request: pytest.FixtureRequest, _blocked: list[Blocked]) -> Iterator[None]:
    _blocked.clear()
    yield
    ours = [blocked for blocked in _blocked if blocked.place.ours]
    if ours and request.node.get_closest_marker("blocks_the_loop") is None:
        lines = [f"{b.place.handler} held the event loop for {b.seconds * 1000:.0f} ms at {b.place.line}" for b in ours]
        pytest.fail("\n".join(lines), pytrace=False)
