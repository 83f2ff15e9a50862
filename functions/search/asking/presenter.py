"""From answers and turns to what callers see."""

from typing import Any

from search.asking import repository, schemas
from search.asking.passages import Passage, Quote
from search.asking.service import Answer, Cited, Disagreement, Sentence
from search.presenter import document_citation
from search.schemas import Citation, CodeCitation, DocumentCitation

KEPT = ("answer", "answered", "sentences", "citations", "contradictions", "how")


def answer(
    made: Answer, question: str, filters: dict[str, Any], conversation_id: str | None, turn: int | None
) -> schemas.Answer:
    """Render an answer."""
    return schemas.Answer(
        answer=made.text,
        answered=made.answered,
        sentences=[_said(sentence) for sentence in made.sentences],
        citations=[_cited(cited) for cited in made.citations],
        contradictions=[_disagreement(each) for each in made.contradictions],
        suggestions=[_suggestion(passage) for passage in made.nearest],
        how=made.how,
        fallback=made.fallback,
        question=question,
        resolved_question=made.question,
        filters=filters,
        conversation_id=conversation_id,
        turn=turn,
        index=made.found.index,
    )


def kept(shown: schemas.Answer) -> dict[str, Any]:
    """Return what a conversation keeps of an answer."""
    return shown.model_dump(mode="json", include=set(KEPT))


def quoted(made: Answer) -> set[str]:
    """Return the projects, collections and documents that an answer quotes."""
    return {owner for cited in made.citations for owner in cited.quote.passage.owners}


def conversation(found: repository.Conversation) -> schemas.Conversation:
    return schemas.Conversation.model_validate(vars(found))


def turn(said: repository.Turn) -> schemas.Turn:
    """Render a turn as it was said; what was None then was left out by the table."""
    citations = [{**cited, "citation": _whole(cited["citation"])} for cited in said.answer["citations"]]
    fields = {name: value for name, value in vars(said).items() if name != "answer"}
    return schemas.Turn.model_validate({**fields, **said.answer, "citations": citations})


def _said(sentence: Sentence) -> schemas.Sentence:
    return schemas.Sentence(text=sentence.text, citations=list(sentence.citations))


def _disagreement(found: Disagreement) -> schemas.Contradiction:
    statements = [_said(statement) for statement in found.statements]
    return schemas.Contradiction.model_validate(
        {"about": found.about, "differs": found.differs, "statements": statements}
    )


def _cited(cited: Cited) -> schemas.CitedQuote:
    quote = cited.quote
    return schemas.CitedQuote(
        n=cited.n,
        source_id=quote.passage.source_id,
        kind=quote.passage.kind,
        title=quote.passage.title,
        citation=narrowed(quote),
        quote=quote.text,
        occurred_at=quote.passage.info.occurred_at if quote.passage.info else None,
        start=quote.start,
        end=quote.end,
    )


def _suggestion(passage: Passage) -> schemas.Suggestion:
    shown = passage.shown
    return schemas.Suggestion(
        source_id=passage.source_id,
        kind=passage.kind,
        title=passage.title,
        citation=shown.citation,
        excerpt=shown.excerpt,
    )


def narrowed(quote: Quote) -> Citation:
    """Point at the lines of the quote rather than those of its whole chunk."""
    citation: Citation = quote.passage.shown.citation
    first = quote.passage.start_line + quote.passage.text.count("\n", 0, quote.start)
    last = first + quote.text.count("\n")
    if isinstance(citation, CodeCitation):
        return citation.model_copy(update={"start_line": first, "end_line": last})
    if isinstance(citation, DocumentCitation) and quote.passage.info is not None:
        return document_citation(quote.passage.info, first, last)
    return citation


def _whole(citation: dict[str, Any]) -> dict[str, Any]:
    """Put back the fields of a citation that the table left out because they were None."""
    absent = {
        "code": ("repository", "path", "commit"),
        "commit": ("repository", "sha", "author"),
        "document": ("version", "filename", "unit", "number", "label", "cells"),
    }
    names = absent.get(citation["type"], ("message_id",))
    return {**dict.fromkeys(names), **citation}
