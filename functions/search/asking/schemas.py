"""Questions, answers and conversations, as callers send and see them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from almanac.ids import id_pattern
from almanac.index.sources import Kind
from search.schemas import Citation, Narrowed, SearchedIndex

EXAMPLE_ID = "cnv_01k9zq3v7m8x2c4b6n0d1f5g7h"

ConversationId = Annotated[str, Field(pattern=id_pattern("cnv"))]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Ask(Narrowed):
    """A question. In a conversation, one that leans on earlier ones takes over their filters unless it has its own."""

    question: Text = Field(
        description="The question, in any language; it is taken as it is, without the syntax of searches.",
        examples=["How long is a session valid?"],
    )
    conversation_id: ConversationId | None = Field(
        default=None, description="The conversation that the question is part of.", examples=[EXAMPLE_ID]
    )
    limit: int = Field(default=5, ge=1, le=10, description="The most sentences that an answer has.", examples=[5])


class Sentence(BaseModel):
    """A sentence of an answer."""

    text: str = Field(examples=["A session is valid for twelve hours."])
    citations: list[int] = Field(
        min_length=1, description="The numbers of the citations that say so; never empty.", examples=[[1]]
    )


class Contradiction(BaseModel):
    """Statements of different sources that cannot all be right; none is preferred, and none left out."""

    about: str = Field(description="The words that the statements share.", examples=["invoices paid"])
    differs: list[Literal["number", "date", "denial", "owner", "other"]] = Field(
        description="What they state differently; `other` where only a language model says so.", examples=[["number"]]
    )
    statements: list[Sentence] = Field(min_length=2, description="Each a quote, with its citation.")


class CitedQuote(BaseModel):
    """A quote that was read again in the sources right before the reply."""

    n: int = Field(description="Its number in the answer.", examples=[1])
    source_id: str = Field(examples=["message:msg_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    kind: Kind
    title: str = Field(examples=["docs/sessions.md"])
    citation: Citation = Field(description="Where it stands; for code and sheets, the lines of the quote.")
    quote: str = Field(description="The source's own words.", examples=["Sessions are valid for twelve hours."])
    occurred_at: datetime | None = Field(
        default=None, description="When its source was written.", examples=["2026-01-31T12:00:00Z"]
    )
    start: int = Field(description="Where the quote begins in its chunk, in code points.", examples=[118])
    end: int = Field(description="Where it ends in its chunk.", examples=[154])


class Suggestion(BaseModel):
    """What comes nearest to a question that the sources do not answer."""

    source_id: str = Field(examples=["message:msg_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    kind: Kind
    title: str = Field(examples=["docs/sessions.md"])
    citation: Citation
    excerpt: str = Field(examples=["Sessions live in the table."])


class Answer(BaseModel):
    """An answer, or the admission that there is none in the sources."""

    answer: str = Field(
        description="The sentences with the numbers of their citations; `Not in the sources.` without an answer.",
        examples=["A session is valid for twelve hours. [1]"],
    )
    answered: bool = Field(description="Whether the sources answer the question.", examples=[True])
    sentences: list[Sentence]
    citations: list[CitedQuote]
    contradictions: list[Contradiction] = Field(
        default_factory=list, description="Where sources contradict each other about the question, side by side."
    )
    suggestions: list[Suggestion] = Field(description="What comes nearest, where there is no answer.")
    how: str = Field(
        description="Who made the answer: `extractive` (it is made of quotes, chosen and put in order) or the model.",
        examples=["extractive"],
    )
    fallback: str | None = Field(
        description="Why it is extractive although a language model is configured: `model_unavailable`, "
        "`model_refused` or `model_answer_unreadable`.",
        examples=[None],
    )
    question: str = Field(examples=["And on mobile?"])
    resolved_question: str = Field(
        description="The question that was answered, made to stand alone by the conversation.",
        examples=["on mobile? (session valid)"],
    )
    filters: dict[str, Any] = Field(
        description="What narrowed the sources, taken over from the conversation or given.", examples=[{}]
    )
    conversation_id: str | None = Field(examples=[EXAMPLE_ID])
    turn: int | None = Field(description="The answer's number in its conversation.", examples=[2])
    index: SearchedIndex


class ConversationCreate(BaseModel):
    """A new conversation."""

    model_config = ConfigDict(extra="forbid")

    title: Title = Field(description="What it is about.", examples=["Sessions"])


class Conversation(BaseModel):
    """Questions that lean on each other. It is removed 90 days after its last turn."""

    id: str = Field(examples=[EXAMPLE_ID])
    title: str = Field(examples=["Sessions"])
    created_at: datetime = Field(examples=["2026-01-31T12:00:00Z"])
    updated_at: datetime = Field(description="When its last turn was.", examples=["2026-01-31T12:05:00Z"])
    turns: int = Field(description="How many turns it has had.", examples=[2])


class ConversationList(BaseModel):
    """One page of conversations, the newest first."""

    items: list[Conversation]
    next_cursor: str | None = Field(description="Continues the list; null at its end.", examples=[None])


class Turn(BaseModel):
    """A question and its answer as it was given then: its citations are not read again."""

    number: int = Field(description="Counts the turns from 1, without gaps.", examples=[1])
    question: str = Field(examples=["How long is a session valid?"])
    resolved_question: str = Field(examples=["How long is a session valid?"])
    filters: dict[str, Any] = Field(examples=[{}])
    answer: str = Field(examples=["A session is valid for twelve hours. [1]"])
    answered: bool
    sentences: list[Sentence]
    citations: list[CitedQuote]
    contradictions: list[Contradiction] = Field(default_factory=list)
    how: str = Field(examples=["extractive"])
    at: datetime = Field(examples=["2026-01-31T12:05:00Z"])


class ConversationTurns(Conversation):
    """A conversation with one page of its turns, the oldest first."""

    items: list[Turn]
    next_cursor: str | None = Field(description="Continues the turns; null at their end.", examples=[None])
