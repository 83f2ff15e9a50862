"""A search: the query's vector and the tenant's index, fetched at the same time, then ranked and cited."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from almanac.embeddings.base import Embedder
from almanac.errors import RetryableError, TerminalError
from almanac.index.containers import Hiding
from almanac.index.filters import Filters
from almanac.index.fusion import meaning_weight
from almanac.index.history import Past
from almanac.index.manifest import Head, IndexInfo
from almanac.index.reader import Found, Reader
from almanac.index.retrieval import Candidates, Hit, Position, Query, best, candidates, hits, rank, statistics
from almanac.index.sources import SourceInfo
from almanac.observability import emit, log

if TYPE_CHECKING:
    from almanac.embeddings.base import QueryCode

WORDS_ONLY = "the embedding model does not answer; words only"
_EMBEDDING_SECONDS = 10


@dataclass(frozen=True)
class Asked:
    """What is searched for. `phrases` must occur, `without` must not; `past` is a state to search in, None is now."""

    text: str
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    explain: bool = False
    past: Past | None = None


@dataclass(frozen=True)
class Page:
    """A page of hits; `next` is where the following page continues, None at the end."""

    found: Found
    hits: list[Hit]
    next: Position | None
    past: Past | None = None

    @property
    def heads(self) -> Mapping[str, Head]:
        """Where the repositories stood in the state that was searched in."""
        return self.found.heads if self.past is None else self.past.heads

    def exhaustively(self, limit: int) -> list[Hit]:
        """Return the best hits of the very same state and query by the longest way; blocks for long."""
        views, query = self.found.views, self.found.query
        known = reduce(add, (statistics(view, query) for view in views))
        several = [candidates(view, query, known, exhaustive=True) for view in views]
        found = best(Candidates.joined(several))
        shown: list[Hit] = []
        for entry in rank(query, known, found):
            shown += hits(views[int(found.shard[entry.place])], query, known, found, [entry], 1)
            if len(shown) == limit:
                break
        return shown

    @property
    def degraded(self) -> str | None:
        """Why the answer goes by less than it should; None when it does not."""
        return WORDS_ONLY if self.found.query.vector is None else None


@dataclass(frozen=True)
class Searcher:
    """Searches any tenant's index. Each index has its own model; `embedder_for` knows them by name."""

    reader: Reader
    embedder_for: Callable[[str], Embedder]

    async def search(
        self, tenant_id: str, hiding: Hiding, asked: Asked, limit: int, after: Position | None = None
    ) -> Page:
        """Return one page, by words alone when the model does not answer. Raises `IndexUnavailable`.

        There is nothing on it of the projects that `hiding` names.
        """

        def asking(info: IndexInfo) -> Awaitable[Query]:
            return self._query(info, asked)

        as_of = asked.past.as_of if asked.past else None
        found = await self.reader.search(tenant_id, asking, limit + 1, after, as_of, hiding=hiding)
        shown = found.hits[:limit]
        return Page(found, shown, shown[-1].position if len(found.hits) > limit else None, asked.past)

    async def _query(self, info: IndexInfo, asked: Asked) -> Query:
        embedder = self.embedder_for(info.model)
        return Query(
            asked.text,
            await _vector(embedder, asked.text),
            meaning_weight(asked.text, embedder.languages),
            asked.filters,
            asked.phrases,
            asked.without,
            asked.explain,
        )


async def _vector(embedder: Embedder, text: str) -> "QueryCode | None":
    try:
        async with asyncio.timeout(_EMBEDDING_SECONDS):
            return await embedder.embed_query(text)
    except (RetryableError, TerminalError, TimeoutError) as error:
        log("error", "query not embedded", model=embedder.model, reason=f"{type(error).__name__}: {error}")
        emit({"QueriesByWordsAlone": (1, "Count")})
        return None


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
    return Position(values["score"], values["similarity"], values["source"])
