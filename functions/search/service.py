"""A search: the query's vector and the tenant's index, fetched at the same time, then ranked and cited."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from almanac.embeddings.base import Embedder
from almanac.errors import RetryableError, TerminalError
from almanac.index.engine import Hit, Position, Query
from almanac.index.filters import Filters
from almanac.index.fusion import meaning_weight
from almanac.index.manifest import Head
from almanac.index.reader import Found, Reader
from almanac.index.sources import SourceInfo
from almanac.observability import log
from search.errors import ModelUnavailable

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

_EMBEDDING_SECONDS = 10


@dataclass(frozen=True)
class Page:
    """A page of hits; `next` is where the following page continues, None at the end."""

    found: Found
    hits: list[Hit]
    next: Position | None
    model: str


@dataclass(frozen=True)
class Searcher:
    """Searches any tenant's index."""

    reader: Reader
    embedder: Embedder

    async def search(self, tenant_id: str, text: str, filters: Filters, limit: int, after: Position | None) -> Page:
        """Return one page. Raises `ModelUnavailable` or `IndexUnavailable`."""
        found = await self.reader.search(tenant_id, self._query(text, filters), limit + 1, after)
        hits = found.hits[:limit]
        following = hits[-1].position if len(found.hits) > limit else None
        return Page(found, hits, following, self.embedder.model)

    async def _query(self, text: str, filters: Filters) -> Query:
        return Query(text, await self._vector(text), meaning_weight(text, self.embedder.languages), filters)

    async def _vector(self, text: str) -> "Codes":
        try:
            async with asyncio.timeout(_EMBEDDING_SECONDS):
                return await self.embedder.embed_query(text)
        except (RetryableError, TerminalError, TimeoutError) as error:
            log("error", "query not embedded", model=self.embedder.model, reason=f"{type(error).__name__}: {error}")
            raise ModelUnavailable("The embedding model does not answer. Try again in a moment.") from error


def commit_to_cite(info: SourceInfo, head: Head | None) -> str | None:
    """Return a commit at which a source from a repository is true.

    What was written up to the run that the head tells of, and is still visible, is true at the head: of the branch
    that hits are cited at where the source is on it, else of the first other. Anything newer is true where it was seen.
    """
    if head is None or info.version > head.run:
        return info.citation.commit
    if not info.citation.branches or head.branch in info.citation.branches:
        return head.commit or info.citation.commit
    commits = (head.branches[branch] for branch in info.citation.branches if branch in head.branches)
    return next(commits, info.citation.commit)


def position_to_json(position: Position) -> dict[str, Any]:
    """Return a position as cursors carry it; floats keep every bit in JSON."""
    return position._asdict()


def position_from_json(values: Mapping[str, Any]) -> Position:
    return Position(values["score"], values["similarity"], values["source_id"])
