"""What a question is answered from, and the port that finds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from almanac.index.sources import Kind, SourceInfo
from almanac.text.tokenize import terms
from search.asking.spans import Form, plain, spans

PassageKey = tuple[str, int, int]


@dataclass(frozen=True)
class Passage:
    """One chunk that was found, with the version of its source. `shown` is the hit as search shows it.

    `info` is what the index knows of the source, and `start_line` where in it the chunk begins.
    """

    source_id: str
    version: int
    ordinal: int
    kind: Kind
    title: str
    context: str
    language: str | None
    text: str
    shown: Any = None
    info: SourceInfo | None = None
    start_line: int = 1

    @property
    def owners(self) -> frozenset[str]:
        """What must be seen for the chunk to be: its project, and of a page its collection and its document."""
        if self.info is None:
            return frozenset()
        owners = {self.info.project_id}
        if self.kind is Kind.DOCUMENT:
            owners |= {self.info.container_id, self.info.group_id or ""}
        return frozenset(owners - {""})

    @property
    def key(self) -> PassageKey:
        """What a chunk is known by: a new version of its source is another chunk."""
        return self.source_id, self.version, self.ordinal

    @cached_property
    def around(self) -> frozenset[str]:
        """The terms of the title and of what encloses the chunk."""
        return frozenset(terms(f"{self.title} {self.context}"))

    @cached_property
    def bag(self) -> frozenset[str]:
        """The terms of the whole chunk, its surroundings included."""
        return frozenset(terms(self.text)) | self.around

    @cached_property
    def quotes(self) -> "tuple[Quote, ...]":
        """Whatever of the chunk can be quoted."""
        found = spans(self.text, code=self.kind is Kind.CODE, language=self.language)
        return tuple(Quote(self, *span, plain(self.text[span.start : span.end], span.form)) for span in found)


@dataclass(frozen=True)
class Quote:
    """`text` stands at `[start:end]` of a passage; `plain` is the same without signs of comments or lists."""

    passage: Passage
    start: int
    end: int
    form: Form
    plain: str

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


@dataclass(frozen=True)
class Draft:
    """A sentence of an answer that is not checked yet, and what it claims to rest on."""

    text: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class Retrieved:
    """Passages, best first, the embedding model of their index, and its state as search shows it."""

    passages: tuple[Passage, ...]
    model: str = ""
    index: Any = None


class Sources(Protocol):
    """Finds passages of one tenant under fixed filters, in the index as it stands at the call."""

    async def find(self, question: str, limit: int) -> Retrieved:
        """Return what is nearest to a question."""

    async def again(self, passages: Sequence[Passage]) -> Mapping[PassageKey, Passage]:
        """Read passages again; one that is not visible any more in its version is left out."""
