from collections.abc import Iterator
from dataclasses import replace

import pytest

from documents.jobs import wiring
from tests.integration.documents.shelf import Shelf
from tests.integration.documents.world import Library
from tests.integration.harness import Stack
from tests.support.plain_files import PlainReader


@pytest.fixture
def library(stack: Stack) -> Library:
    """Return a tenant of its own, with no documents."""
    return Library(stack, stack.tenant())


@pytest.fixture
def other(stack: Stack) -> Library:
    return Library(stack, stack.tenant("Other"))


@pytest.fixture
def reader(stack: Stack) -> Iterator[PlainReader]:
    """Have the worker read the plain files of the tests."""
    del stack
    plain = PlainReader()
    after = replace(wiring.dependencies(), reader=plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "dependencies", lambda: after)
        yield plain


@pytest.fixture
def shelf(stack: Stack, reader: PlainReader) -> Shelf:
    """Return a tenant of its own, with no documents, whose files are plain ones."""
    return Shelf(stack, stack.tenant(), reader)
