"""Searches and their answers, as callers send and see them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from almanac import moments
from almanac.index.sources import Kind
from almanac.web.fields import CollectionId, DocumentId, ProjectId, Request

COMMIT = re.compile(r"[0-9A-Fa-f]{7,40}")
MOST_VERSIONS = 999_999
"""A version is six digits of a key."""


def _check_glob(glob: str) -> str:
    from almanac.index.filters import compile_glob

    compile_glob(glob)
    return glob


def _check_moment(text: str) -> str:
    moments.parse(text, datetime.now(UTC))
    return text


def _check_as_of(text: str) -> str:
    try:
        return text if COMMIT.fullmatch(text) else _check_moment(text)
    except ValueError as error:
        raise ValueError(f"{error}, or a commit in 7 to 40 hex digits") from None


Language = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
Glob = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512), AfterValidator(_check_glob)
]
Moment = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_check_moment)
]
AsOf = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), AfterValidator(_check_as_of)
]


class Narrowed(Request):
    """What a search or an answer is narrowed to, before anything is ranked."""

    project: list[ProjectId] = Field(
        default_factory=list,
        max_length=50,
        description="Only these projects; may be repeated.",
        examples=[["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"]],
    )
    kind: list[Kind] = Field(
        default_factory=list,
        max_length=10,
        description="Only these kinds; may be repeated.",
        examples=[["code", "commit"]],
    )
    collection: list[CollectionId] = Field(
        default_factory=list,
        max_length=50,
        description="Only documents in these collections; may be repeated.",
        examples=[["col_01k9zq3v7m8x2c4b6n0d1f5g7h"]],
    )
    document: list[DocumentId] = Field(
        default_factory=list,
        max_length=50,
        description="Only these documents; may be repeated.",
        examples=[["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"]],
    )
    version: int | None = Field(
        default=None,
        ge=1,
        le=MOST_VERSIONS,
        description="The one document that is named, as it was in this version; without it, in its newest.",
        examples=[2],
    )
    path: Glob | None = Field(
        default=None,
        description="Only files whose path matches: `*` and `?` stay within a directory, `**` crosses directories, "
        "`[a-z]` is one of a set. Without a slash it is a file name at any depth; `src/` is everything below.",
        examples=["src/**/*.py"],
    )
    language: list[Language] = Field(
        default_factory=list,
        max_length=20,
        description="Only these languages, by name or by their files' extension; may be repeated.",
        examples=[["python"]],
    )
    author: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = Field(
        default=None,
        description="Only what an author wrote whose name or e-mail address contains this, in any case.",
        examples=["ada@example.org"],
    )
    since: Moment | None = Field(
        default=None,
        description="Only what is as new as this: ISO 8601, or an age in m, h, d, w. Files carry no time; commits do.",
        examples=["7d"],
    )
    until: Moment | None = Field(
        default=None,
        description="Only what is older than this: ISO 8601, or an age in m, h, d, w.",
        examples=["2026-01-31"],
    )
    as_of: AsOf | None = Field(
        default=None,
        description="Answer from what was true then: a commit (7 to 40 hex digits), ISO 8601, or an age in m, h, d, w.",
        examples=["9fceb02d0ae5", "2026-01-31"],
    )

    def given(self) -> dict[str, Any]:
        """Return what narrows at all, as JSON."""
        fields = self.model_dump(mode="json", include=set(Narrowed.model_fields))
        return {name: value for name, value in fields.items() if value}


class _Query(Request):
    q: Annotated[str, StringConstraints(min_length=1, max_length=1000)] = Field(
        description='What is searched for: a question, words, an identifier. `"phrase"` must occur, `-word` must not; '
        "`path: lang: author: kind: project: since: until:` narrow, `-path:` and the like leave out.",
        examples=["where are HTTP headers parsed", 'retry "exponential backoff" lang:python -path:tests/'],
    )


# The fields of the last base come first: what is searched for, then what that is narrowed to.
class SearchRequest(Narrowed, _Query):
    """What to search for. Filters narrow the search before anything is ranked."""

    explain: bool = Field(default=False, description="Tell for each hit how its score came about.", examples=[True])
    limit: int = Field(default=10, ge=1, le=50, description="How many hits to return.", examples=[10])
    cursor: str | None = Field(
        default=None, max_length=2048, description="`next_cursor` of the page before; only valid for the same search."
    )


class CodeCitation(BaseModel):
    """Lines of a file as they are at a commit."""

    type: Literal["code"] = "code"
    repository_id: str = Field(examples=["rep_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    repository: str | None = Field(
        description="The repository's address.", examples=["https://github.com/acme/api.git"]
    )
    path: str | None = Field(examples=["src/http/parser.py"])
    commit: str | None = Field(
        description="A commit at which the file reads like this.", examples=["9fceb02d0ae598e95dc970b74767f19372d61af8"]
    )
    branches: list[str] = Field(description="The synced branches that hold the file like this.", examples=[["main"]])
    start_line: int = Field(description="The chunk's first line, from 1.", examples=[41])
    end_line: int = Field(description="The chunk's last line.", examples=[63])


class CommitCitation(BaseModel):
    """A commit."""

    type: Literal["commit"] = "commit"
    repository_id: str = Field(examples=["rep_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    repository: str | None = Field(
        description="The repository's address.", examples=["https://github.com/acme/api.git"]
    )
    sha: str | None = Field(examples=["9fceb02d0ae598e95dc970b74767f19372d61af8"])
    author: str | None = Field(examples=["Ada Lovelace <ada@example.org>"])
    branches: list[str] = Field(description="The synced branches that the commit is on.", examples=[["main"]])


class MessageCitation(BaseModel):
    """A message in a checkpoint."""

    type: Literal["message"] = "message"
    checkpoint_id: str = Field(examples=["chk_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    message_id: str | None = Field(examples=["msg_01k9zq3v7m8x2c4b6n0d1f5g7h"])


class DocumentCitation(BaseModel):
    """A page, slide, sheet or section of a document, in the version that answers."""

    type: Literal["document"] = "document"
    document_id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    version: int | None = Field(description="The version of the document, from 1.", examples=[2])
    title: str = Field(examples=["Supply contract"])
    filename: str | None = Field(examples=["contract-2026.pdf"])
    unit: Literal["page", "slide", "sheet", "section", "attachment"] | None = Field(examples=["page"])
    number: int | None = Field(description="Which page, slide, sheet or section, from 1.", examples=[12])
    label: str | None = Field(
        description="Where to look, as a reader of the file says it: `page 12`, `sheet Costs, B4:D9`.",
        examples=["page 12"],
    )
    cells: str | None = Field(description="Of a sheet, the cells that it stands in.", examples=["B4:D9"])


Citation = Annotated[CodeCitation | CommitCitation | MessageCitation | DocumentCitation, Field(discriminator="type")]


class Scores(BaseModel):
    """What words and meaning contribute to a score; together they are the score."""

    words: float = Field(description="0 when no word of the query occurs.", examples=[0.27])
    meaning: float = Field(description="0 when many chunks are nearer in meaning.", examples=[0.66])


class Explanation(BaseModel):
    """How a score came about: what words and meaning measured, and what each of the two counts for."""

    bm25: float = Field(description="The words' score, before it is put on a scale with meaning's.", examples=[11.82])
    terms: dict[str, float] = Field(
        description="What each of the query's words adds to it, by its stem; those that occur.",
        examples=[{"pars": 5.1}],
    )
    cosine: float | None = Field(
        description="How near the chunk is to the query in meaning, from -1 to 1; null without a vector.",
        examples=[0.71],
    )
    embedded: bool = Field(description="Whether the chunk has a vector yet.", examples=[True])
    words_weight: float = Field(description="The most that words can add to a score.", examples=[0.3])
    meaning_weight: float = Field(description="The most that meaning can add to a score.", examples=[0.7])


class Hit(BaseModel):
    """A source that was found, by its best chunk."""

    source_id: str = Field(
        description="The same for the same source in every answer.", examples=["message:msg_01k9zq3v7m8x2c4b6n0d1f5g7h"]
    )
    kind: Kind
    project_id: str = Field(
        description="Empty for a document in no project.", examples=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"]
    )
    title: str = Field(examples=["src/http/parser.py"])
    context: str | None = Field(
        description="What encloses the chunk: headings, classes, functions.", examples=["Parser > parse_header"]
    )
    language: str | None = Field(examples=["python"])
    author: str | None = Field(examples=["Ada Lovelace <ada@example.org>"])
    occurred_at: datetime | None = Field(description="When it was written.", examples=["2026-01-31T12:00:00Z"])
    excerpt: str = Field(
        description="The part of the chunk that shows most of the query.",
        examples=["def parse_header(line: bytes) -> Header:"],
    )
    excerpt_start_line: int | None = Field(
        description="The line of the file that the excerpt begins on; only for code.", examples=[41]
    )
    highlights: list[tuple[int, int]] = Field(
        description="Ranges of the excerpt that match the query, [start, end) in Unicode code points, in order.",
        examples=[[[4, 16]]],
    )
    score: float = Field(description="From 0 to 1; comparable within one answer only.", examples=[0.93])
    scores: Scores
    explanation: Explanation | None = Field(default=None, description="Only when asked for with `explain`.")
    citation: Citation
    more_from_source: int = Field(
        description="How many other chunks of the source are among the best thousand.", examples=[2]
    )


class IndexedRepository(BaseModel):
    """The commits that the index stands at for a repository whose first sync has completed."""

    commit: str | None = Field(examples=["9fceb02d0ae598e95dc970b74767f19372d61af8"])
    branch: str | None = Field(examples=["main"])
    branches: dict[str, str] = Field(
        description="Each synced branch and its commit.",
        examples=[{"main": "9fceb02d0ae598e95dc970b74767f19372d61af8"}],
    )
    run: int = Field(description="Counts the repository's syncs.", examples=[3])


class Pending(BaseModel):
    """What is stored but not embedded yet. Messages among it are found by their words, all else is not found yet."""

    messages: int = Field(description="How many messages.", examples=[1])
    message_ids: list[str] = Field(
        description="The newest of them, at most 50.", examples=[["msg_01k9zq3v7m8x2c4b6n0d1f5g7h"]]
    )
    documents: int = Field(description="How many documents have pages among it.", examples=[1])
    document_ids: list[str] = Field(
        description="The newest of them, at most 50.", examples=[["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"]]
    )
    batches: dict[str, int] = Field(
        description="How many batches of files and commits, by repository.",
        examples=[{"rep_01k9zq3v7m8x2c4b6n0d1f5g7h": 3}],
    )
    since: datetime | None = Field(description="When the oldest of it was stored.", examples=["2026-01-31T12:00:00Z"])


class ResolvedAsOf(BaseModel):
    """What `as_of` was understood as."""

    moment: datetime = Field(
        description="Messages and documents are shown as they were then.", examples=["2026-01-31T12:00:00Z"]
    )
    commits: dict[str, str] = Field(
        description="The commit that each repository is shown at; one that is missing had nothing indexed by then.",
        examples=[{"rep_01k9zq3v7m8x2c4b6n0d1f5g7h": "9fceb02d0ae598e95dc970b74767f19372d61af8"}],
    )


class SearchedIndex(BaseModel):
    """The index that an answer comes from. It held everything that was acknowledged before the call."""

    index_id: str = Field(description="The index that serves the tenant.", examples=["local-bge-small-en-v1.5"])
    model: str = Field(description="The embedding model.", examples=["local:bge-small-en-v1.5"])
    meaning: Literal["model", "words"] = Field(
        description="What the answer goes by: the model and words, or words alone.", examples=["model"]
    )
    degraded: str | None = Field(
        description="Why it goes by less than it should.", examples=["the embedding model does not answer; words only"]
    )
    chunks: int = Field(description="How many chunks the tenant's index shows.", examples=[4211])
    pending: Pending
    as_of: ResolvedAsOf | None = Field(description="Null for the present.")
    repositories: dict[str, IndexedRepository]


class SearchResults(BaseModel):
    """One page of hits, best first."""

    items: list[Hit]
    next_cursor: str | None = Field(description="Continues the list; null at its end.", examples=[None])
    hints: list[str] = Field(
        description="What in the query was read as text and may have been meant otherwise.",
        examples=[["`lnag:` is no field, so it was searched for as text. Did you mean `lang:`?"]],
    )
    index: SearchedIndex
