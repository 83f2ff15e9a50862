"""What every test stands under: no provider over the network, and no longer hold of the event loop than production
would tolerate.
"""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from almanac import tenancy
from almanac.embeddings import base
from almanac.loop_watch import THRESHOLD_SECONDS, Blocked, LoopWatch

MARKER = "blocks_the_loop(reason): the test holds the event loop on purpose"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(autouse=True, scope="session")
def _no_embedding_provider_over_the_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "ALLOW_NETWORK", False)
        yield


@pytest.fixture(autouse=True)
def _no_tenant_is_bound() -> Iterator[None]:
    """Let no test work for the tenant that another one bound."""
    with tenancy.working_for(None):
        yield


@dataclass
class Findings:
    """What held the loop during one test, and for how long the garbage of a long session was collected meanwhile."""

    blocked: list[Blocked] = field(default_factory=list)
    collecting: float = 0.0
    _collection_began: float = 0.0

    def collection(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.perf_counter()
        else:
            self.collecting += time.perf_counter() - self._collection_began

    def reset(self) -> None:
        self.blocked.clear()
        self.collecting = 0.0

    def ours(self) -> list[Blocked]:
        """Return what our code did: not a library alone, and not the collector."""
        return [b for b in self.blocked if b.place.ours and b.seconds - self.collecting > THRESHOLD_SECONDS]


@pytest.fixture(scope="session")
def _findings() -> Iterator[Findings]:
    findings = Findings()
    watch = LoopWatch(findings.blocked.append)
    gc.callbacks.append(findings.collection)
    watch.start()
    yield findings
    watch.stop()
    gc.callbacks.remove(findings.collection)


@pytest.fixture(autouse=True)
def _loop_is_never_blocked(request: pytest.FixtureRequest, _findings: Findings) -> Iterator[None]:
    _findings.reset()
    yield
    ours = _findings.ours()
    if ours and request.node.get_closest_marker("blocks_the_loop") is None:
        lines = [f"{b.place.handler} held the event loop for {b.seconds * 1000:.0f} ms at {b.place.line}" for b in ours]
        pytest.fail("\n".join(lines), pytrace=False)
