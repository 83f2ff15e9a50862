from collections.abc import Iterator
from typing import Any

import pytest

from projects import wiring
from tests.integration.harness import Stack
from tests.integration.projects.workspace import Workspace


class Fault(Exception):
    """A store that does not answer."""


class Faults:
    """Makes the next calls of a store fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def fail(self, store: Any, method: str, error: Exception | None = None) -> None:
        async def failing(*_: Any, **__: Any) -> None:
            raise error or Fault(method)

        self._patch.setattr(type(store), method, failing)

    def heal(self) -> None:
        self._patch.undo()


@pytest.fixture
def work(stack: Stack) -> Workspace:
    """Return a tenant of its own, with nothing in it."""
    return Workspace(stack, stack.tenant())


@pytest.fixture
def other(stack: Stack) -> Workspace:
    return Workspace(stack, stack.tenant("Other"))


@pytest.fixture
def faults() -> Iterator[Faults]:
    with pytest.MonkeyPatch.context() as patch:
        yield Faults(patch)


@pytest.fixture
def public_hosts_only() -> Iterator[None]:
    """Have the host rules of every stage but the local one."""
    dependencies = wiring.dependencies()
    object.__setattr__(dependencies, "allow_private_hosts", False)
    yield
    object.__setattr__(dependencies, "allow_private_hosts", True)
