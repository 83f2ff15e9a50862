"""From what the index found to what callers see."""

from almanac.index.engine import Hit
from almanac.index.manifest import Head
from almanac.index.sources import Kind
from search import schemas
from search.service import Page, commit_to_cite


def results(page: Page, next_cursor: str | None) -> schemas.SearchResults:
    """Render a page."""
    heads = page.found.heads
    repositories = {
        name: schemas.IndexedRepository(commit=head.commit, branch=head.branch, branches=head.branches, run=head.run)
        for name, head in sorted(heads.items())
    }
    state = schemas.IndexState(model=page.model, chunks=page.found.rows, repositories=repositories)
    items = [_hit(hit, heads.get(hit.info.container_id)) for hit in page.hits]
    return schemas.SearchResults(items=items, next_cursor=next_cursor, index=state)


def _hit(hit: Hit, head: Head | None) -> schemas.Hit:
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
        citation=_citation(hit, head),
        more_from_source=hit.more,
    )


def _citation(hit: Hit, head: Head | None) -> schemas.Citation:
    info, cited = hit.info, hit.info.citation
    repository_id = cited.repository_id or info.container_id
    branches = list(cited.branches)
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
