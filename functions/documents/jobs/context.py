"""What the work on a job needs, and how a document is changed while others change it too."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table, Write
from almanac.errors import RetryableError
from almanac.events import Event
from almanac.index.manifest import Manifest
from documents.jobs import progress
from documents.jobs.files import Originals
from documents.model import Document
from documents.reading.model import Limits, Probe, Reading
from documents.store import Changed, DocumentStore

_ATTEMPTS = 24
_LONGEST_PAUSE = 1.0
_READERS = 2


class NoTime(Exception):
    """Too little is left of this invocation: the message is to come again, which is no failure of its work."""


class Reader(Protocol):
    """How files are read: `documents.reading.reader`, or what stands for it in tests."""

    async def probe(self, path: Path, *, name: str, password: str | None = None, limits: Limits) -> Probe: ...

    async def read(
        self,
        path: Path,
        probe: Probe,
        first: int,
        last: int,
        *,
        password: str | None = None,
        limits: Limits,
        name: str = "",
    ) -> Reading: ...


@dataclass(frozen=True)
class Dependencies:
    """What the worker is made of."""

    table: Table
    blobs: Blobs
    secrets: Secrets
    originals: Originals
    reader: Reader
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))
    """Held while a file is read: an environment has the memory for few such processes."""


@dataclass(frozen=True)
class Decision:
    """What to make of a document: attributes to change, and writes beside it; `quiet` is not told to anybody."""

    changes: dict[str, Any]
    also: Sequence[Write] = ()
    quiet: bool = False


Decide = Callable[[Document], Awaitable[Decision | None]]


@dataclass(frozen=True)
class Context:
    """The work of one message, on one tenant's documents."""

    dependencies: Dependencies
    tenant_id: str
    correlation_id: str
    store: DocumentStore = field(init=False)
    manifest: Manifest = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", DocumentStore(self.dependencies.table, self.tenant_id))
        object.__setattr__(self, "manifest", Manifest(self.dependencies.table, self.tenant_id))

    @classmethod
    def of(cls, dependencies: Dependencies, event: Event) -> "Context":
        return cls(dependencies, event.tenant_id, event.correlation_id)

    @property
    def common(self) -> dict[str, str]:
        """What every message says that this work causes."""
        return {"tenant_id": self.tenant_id, "correlation_id": self.correlation_id}

    async def change(self, document_id: str, decide: Decide) -> Document | None:
        """Change a document as `decide` says of how it stands; None when that said to leave it, or it is gone.

        Many parts of a document end at once, and each is counted: whoever finds it changed decides anew.
        Raises `AlsoRefused` when a write beside it is refused.
        """
        return await change(self.store, document_id, self.correlation_id, decide)


async def change(store: DocumentStore, document_id: str, correlation_id: str, decide: Decide) -> Document | None:
    """See `Context.change`."""
    document = await store.get(document_id)
    for attempt in range(_ATTEMPTS):
        decision = await decide(document) if document is not None else None
        if document is None or decision is None:
            return None
        changes, tell = progress.told(document, decision.changes)
        try:
            tell = tell and not decision.quiet
            return await store.save(document, correlation_id, *decision.also, tell=tell, **changes)
        except Changed:
            pause = min(_LONGEST_PAUSE, 0.01 * 2**attempt)
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - no secret
            document = await store.get(document_id)
    raise RetryableError("the document kept changing")
