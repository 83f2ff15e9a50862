"""From what the index found to what callers see."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from almanac.events import BatchOrigin, DocumentOrigin, MessageOrigin
from almanac.index.manifest import Awaited, Head
from almanac.index.retrieval import Hit, Query
from almanac.index.sources import Kind, SourceInfo
from almanac.text.cells import cells
from search import schemas
from search.service import Page, commit_to_cite

_MOST_IDS = 50


def results(page: Page, next_cursor: str | None, hints: Sequence[str] = ()) -> schemas.SearchResults:
    """Render a page."""
    heads = page.heads
    items = [_hit(hit, heads.get(hit.info.container_id), page.found.query) for hit in page.hits]
    return schemas.SearchResults(items=items, next_cursor=next_cursor, hints=list(hints), index=state(page))


def state(page: Page) -> schemas.SearchedIndex:
    """Render the index that a page comes from."""
    found, past = page.found, page.past
    repositories = {
        name: schemas.IndexedRepository(commit=head.commit, branch=head.branch, branches=head.branches, run=head.run)
        for name, head in sorted(found.heads.items())
    }
    return schemas.SearchedIndex(
        index_id=found.index.id,
        model=found.index.model,
        meaning="words" if found.query.vector is None else "model",
        degraded=page.degraded,
        chunks=found.rows,
        pending=_pending(found.awaiting),
        as_of=schemas.ResolvedAsOf(moment=past.moment, commits=past.commits) if past else None,
        repositories=repositories,
    )


def _pending(awaiting: Sequence[Awaited]) -> schemas.Pending:
    """Count what is awaited, which comes newest first."""
    messages = [entry.origin.message_id for entry in awaiting if isinstance(entry.origin, MessageOrigin)]
    batches = Counter(entry.origin.repository_id for entry in awaiting if isinstance(entry.origin, BatchOrigin))
    parts = (entry.origin for entry in awaiting if isinstance(entry.origin, DocumentOrigin))
    documents = list(dict.fromkeys(origin.document_id for origin in parts))
    return schemas.Pending(
        messages=len(messages),
        message_ids=messages[:_MOST_IDS],
        documents=len(documents),
        document_ids=documents[:_MOST_IDS],
        batches=dict(sorted(batches.items())),
        since=min((datetime.fromisoformat(entry.since) for entry in awaiting if entry.since), default=None),
    )


def _hit(hit: Hit, head: Head | None, query: Query) -> schemas.Hit:
    info = hit.info
    return schemas.Hit(
        source_id=info.source_id,
        kind=info.kind,
        project_id=info.project_id,
        title=info.title,
        context=hit.context or None,
        language=info.language,
        author=info.author,
        occurred_at=info.occurred_at,
        excerpt=hit.excerpt.text,
        excerpt_start_line=hit.start_line + hit.excerpt.first_line if info.kind is Kind.CODE else None,
        highlights=hit.excerpt.highlights,
        score=hit.position.score,
        scores=schemas.Scores(words=hit.words, meaning=hit.meaning),
        explanation=_explanation(hit) if query.explain else None,
        citation=_citation(hit, head),
        more_from_source=hit.more,
    )


def _explanation(hit: Hit) -> schemas.Explanation:
    return schemas.Explanation(
        bm25=hit.parts.bm25,
        terms=dict(hit.parts.terms),
        cosine=hit.parts.cosine,
        embedded=hit.parts.embedded,
        words_weight=hit.parts.words_weight,
        meaning_weight=hit.parts.meaning_weight,
    )


def _citation(hit: Hit, head: Head | None) -> schemas.Citation:
    info, cited = hit.info, hit.info.citation
    repository_id = cited.repository_id or info.container_id
    branches = list(cited.branches)
    if info.kind is Kind.DOCUMENT:
        return document_citation(info, hit.start_line, hit.end_line)
    if info.kind is Kind.MESSAGE:
        checkpoint_id = cited.checkpoint_id or info.container_id
        return schemas.MessageCitation(checkpoint_id=checkpoint_id, message_id=cited.message_id)
    if info.kind is Kind.COMMIT:
        return schemas.CommitCitation(
            repository_id=repository_id,
            repository=cited.repository,
            sha=cited.commit,
            author=info.author,
            branches=branches,
        )
    return schemas.CodeCitation(
        repository_id=repository_id,
        repository=cited.repository,
        path=info.path,
        commit=commit_to_cite(info, head),
        branches=branches,
        start_line=hit.start_line,
        end_line=hit.end_line,
    )


def document_citation(info: SourceInfo, start_line: int, end_line: int) -> schemas.DocumentCitation:
    """Cite lines of a page's text: the page, and of a sheet the cells."""
    cited, place = info.citation, info.citation.place
    shown = cells(place, start_line, end_line) if place else None
    return schemas.DocumentCitation(
        document_id=cited.document_id or info.group_id or "",
        version=cited.document_version,
        title=info.title,
        filename=info.path,
        unit=place.unit if place else None,
        number=place.number if place else None,
        label=(f"{place.label}, {shown}" if shown else place.label) if place else None,
        cells=shown,
    )
