"""Passages from the tenant's index, through the search that everybody uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from almanac.index.containers import Hiding
from almanac.index.manifest import IndexInfo
from almanac.index.retrieval import Query
from almanac.index.shards import Chunk, ShardedSearch
from search import presenter
from search.asking.passages import Passage, PassageKey, Retrieved
from search.service import Asked, Page, Searcher


@dataclass(frozen=True)
class IndexSources:
    """The sources of one tenant, narrowed as `asked` says, whatever its text is, without those that `hiding` names."""

    searcher: Searcher
    tenant_id: str
    hiding: Hiding
    asked: Asked

    async def find(self, question: str, limit: int) -> Retrieved:
        page = await self._page(question, limit)
        results = presenter.results(page, None)
        passages = tuple(
            Passage(
                source_id=hit.info.source_id,
                version=hit.info.version,
                ordinal=hit.ordinal,
                kind=hit.info.kind,
                title=hit.info.title,
                context=hit.context,
                language=hit.info.language,
                text=hit.text,
                shown=shown,
                info=hit.info,
                start_line=hit.start_line,
            )
            for hit, shown in zip(page.hits, results.items, strict=True)
        )
        return Retrieved(passages, page.found.index.model, results.index)

    async def again(self, passages: Sequence[Passage]) -> Mapping[PassageKey, Passage]:
        past = self.asked.past
        # A search for nothing brings the reader up to the manifest as it stands now; the rows are then just read.
        found = await self.searcher.reader.search(
            self.tenant_id, _nothing, 1, as_of=past.as_of if past is not None else None, hiding=self.hiding
        )
        chunks = [Chunk(passage.source_id, passage.version, passage.ordinal) for passage in passages]
        texts = zip(passages, await ShardedSearch(found.shards).texts(chunks), strict=True)
        return {passage.key: replace(passage, text=text) for passage, text in texts if text is not None}

    async def _page(self, question: str, limit: int) -> Page:
        return await self.searcher.search(self.tenant_id, self.hiding, replace(self.asked, text=question), limit)


async def _nothing(_: IndexInfo) -> Query:
    return Query("", None, 0.0)
