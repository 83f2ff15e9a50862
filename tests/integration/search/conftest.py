import pytest

from tests.integration.harness import Stack
from tests.integration.search.world import World


@pytest.fixture
def world(stack: Stack) -> World:
    """Return a tenant of its own, with nothing in it."""
    return World(stack, stack.tenant())


@pytest.fixture
def neighbour(stack: Stack) -> World:
    return World(stack, stack.tenant("Neighbour"))
