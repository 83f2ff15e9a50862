"""What was read of a document so far, and the port of whoever adds to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from documents.analysis.model import Findings, WrittenDate
from documents.analysis.summary import Nearness
from documents.analysis.units import Page


@dataclass(frozen=True)
class Reading:
    """Findings and how they were made, as an analysis tells it. `dropped` did not stand in the text."""

    findings: Findings
    method: str
    ranked_by: str
    document_date: WrittenDate | None
    pages: int
    fallback: str | None = None
    dropped: int = 0


class Reader(Protocol):
    """Reads pages once more."""

    async def add(self, reading: Reading, pages: Sequence[Page], nearness: Nearness, seconds: float) -> Reading:
        """Return a reading with what more was found within so many seconds; never less. Raises nothing."""
