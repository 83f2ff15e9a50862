"""Analyses and commitments as callers see them."""

from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from documents.analysis import commitments, model, reports
from documents.analysis.commitments import CommitmentSays, CommitmentStatus
from documents.analysis.likeness import MatchedBy
from documents.analysis.model import Findings, WrittenDate


class DocumentAnalysis(BaseModel):
    """What a version of a document says about its project. Each finding stands on quotes of the text."""

    document_id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    version: int = Field(examples=[1])
    method: str = Field(
        description="`rules`, or the language model whose findings were added to theirs.", examples=["rules"]
    )
    ranked_by: str = Field(
        description="What chose the summary: `words`, `words+vectors`, or a language model.", examples=["words+vectors"]
    )
    fallback: str | None = Field(
        description="Why a language model that is configured took no part, or not everywhere.", examples=[None]
    )
    document_date: WrittenDate | None = Field(description="The document's own date, if its text gives one.")
    written_at: str = Field(description="When the version arrived.", examples=["2026-01-31T12:00:00.000Z"])
    pages: int = Field(description="Pages that were analysed.", examples=[12])
    pages_left_out: int = Field(description="Pages beyond what an analysis reads.", examples=[0])
    counts: dict[str, int] = Field(examples=[{"actions": 4, "decisions": 2}])
    findings: Findings
    at: str = Field(examples=["2026-01-31T12:00:05.000Z"])

    @classmethod
    def of(cls, analysis: model.Analysis) -> Self:
        given = {name: getattr(analysis, name) for name in cls.model_fields if name != "counts"}
        return cls.model_validate({**given, "counts": analysis.findings.counts()})


class CommitmentStatement(BaseModel):
    """Where something is said: which document, of what date, and the quote."""

    document_id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Minutes of 12 March"])
    document_date: str = Field(
        description="The document's own date, else the day when its version arrived.", examples=["2026-03-12"]
    )
    page: int = Field(examples=[1])
    label: str = Field(examples=["page 1"])
    start: int = Field(examples=[120])
    end: int = Field(examples=[163])
    quote: str = Field(examples=["Ann: send the contract to Acme by 20 March"])
    who: str | None = Field(examples=["Ann"])
    when: str | None = Field(description="As written.", examples=["20 March"])
    due: str | None = Field(description="ISO 8601, where the text tells the day.", examples=["2026-03-20"])

    @classmethod
    def of(cls, said: commitments.Statement, **more: Any) -> Self:
        told, span = said.told, said.span
        return cls(
            document_id=told.document_id,
            version=told.version,
            title=told.title,
            document_date=told.date,
            page=span.page,
            label=span.label,
            start=span.start,
            end=span.end,
            quote=span.quote,
            who=said.who,
            when=said.when.written if said.when else None,
            due=said.when.date if said.when else None,
            **more,
        )


class LaterStatement(CommitmentStatement):
    """What a later document says of a promise."""

    says: CommitmentSays = Field(
        description="`mentioned`; `done`; or a contradiction: `other_date`, `other_owner`, `dropped`, `open_again`.",
        examples=["done"],
    )
    matched_by: MatchedBy = Field(
        description="What told that it speaks of the promise: `words` that both have, or `vectors` of an embedding "
        "model, which recognise other words for the same.",
        examples=["words"],
    )


class ProjectCommitment(BaseModel):
    """Something promised, and what became of it."""

    status: CommitmentStatus = Field(
        description="`open`; `closed`: a later document says that it is done; `contradicted`: one gives another date "
        "or owner, or takes it back; `stale`: there are later documents and none speaks of it.",
        examples=["closed"],
    )
    what: str = Field(examples=["send the contract to Acme"])
    who: str | None = Field(examples=["Ann"])
    when: str | None = Field(description="As written.", examples=["20 March"])
    due: str | None = Field(description="ISO 8601, where the text tells the day.", examples=["2026-03-20"])
    promised: CommitmentStatement
    later: list[LaterStatement]

    @classmethod
    def of(cls, commitment: commitments.Commitment) -> Self:
        promised = CommitmentStatement.of(commitment.promised)
        return cls(
            status=commitment.status,
            what=commitment.what,
            who=promised.who,
            when=promised.when,
            due=promised.due,
            promised=promised,
            later=[
                LaterStatement.of(each.statement, says=each.says, matched_by=each.matched_by)
                for each in commitment.later
            ],
        )


class CommitmentList(BaseModel):
    """What a project's documents promise, in order of the documents' dates."""

    items: list[ProjectCommitment]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page; null at the end.")
    documents_compared: int = Field(description="Analysed documents that you see.", examples=[14])
    documents_not_analysed: int = Field(examples=[0])
    matched_by: Literal["words", "words+vectors"] = Field(
        description="`words+vectors`: statements are compared by words and by vectors of an embedding model; `words` "
        "where none of the documents has vectors.",
        examples=["words+vectors"],
    )
    documents_by_words: int = Field(description="Of those compared: without vectors, yet or at all.", examples=[0])
    document_limit: int = Field(
        description="The newest so many documents of a project are compared.", examples=[reports.MOST_DOCUMENTS]
    )
    is_complete: bool = Field(
        description="False where the project has more documents, or one of them more statements, than are compared.",
        examples=[True],
    )
