"""What is found in a document. Each item stands on spans of its text; a field that the text does not give is None.

All texts are verbatim, blank space and Markdown's emphasis aside: nothing here was put into other words.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

METHOD_RULES = "rules"
"""The method of an analysis that no language model took part in."""


class _Found(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TextSpan(_Found):
    """`quote` is the text of source `page` (from 1) at `[start:end]`, in characters. Readers look for the `label`."""

    page: int = Field(ge=1)
    label: str
    start: int = Field(ge=0)
    end: int
    quote: str


class WrittenDate(_Found):
    """A date as `written`; `date` is ISO 8601, as exact as the text (2026-03-12 or 2026-03), None where it is open.

    A date without a year, and a weekday, are resolved against the document's own date if the text gives one.
    """

    written: str
    date: str | None = None


class _Item(_Found):
    """`found_by` is `rules`, or `model` for what only the language model pointed at."""

    what: str
    spans: list[TextSpan] = Field(min_length=1)
    found_by: Literal["rules", "model"] = "rules"


class ActionItem(_Item):
    """What somebody is to do. `state` is as written: "Done", "In progress", "x" for a ticked box."""

    who: str | None = None
    when: WrittenDate | None = None
    state: str | None = None


class Decision(_Item):
    """What was decided, by whom, and when."""

    who: str | None = None
    when: WrittenDate | None = None


class Risk(_Item):
    """What may go wrong; likelihood, impact and the rest as written."""

    likelihood: str | None = None
    impact: str | None = None
    mitigation: str | None = None
    who: str | None = None


class Milestone(_Item):
    """A date that matters: a milestone, or any other sentence that gives a date."""

    kind: Literal["milestone", "date"] = "date"
    when: WrittenDate


class OpenQuestion(_Item):
    """What is open."""

    who: str | None = None


class ProgressNote(_Item):
    """What a document says of something promised before: it is done, or will not be done."""

    says: Literal["done", "dropped"]
    who: str | None = None


class NamedParty(_Found):
    """A person or an organisation that the text names, and the first places where it does."""

    name: str
    kind: Literal["person", "organisation"]
    mentions: int = 1
    spans: list[TextSpan] = Field(min_length=1)


class SummarySentence(_Found):
    """A sentence of the summary: one of the document's own."""

    text: str
    span: TextSpan
    found_by: Literal["rules", "model"] = "rules"


class Findings(_Found):
    """All that was found."""

    summary: list[SummarySentence] = Field(default_factory=list)
    actions: list[ActionItem] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    risks: list[Risk] = Field(default_factory=list)
    milestones: list[Milestone] = Field(default_factory=list)
    names: list[NamedParty] = Field(default_factory=list)
    questions: list[OpenQuestion] = Field(default_factory=list)
    updates: list[ProgressNote] = Field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in type(self).model_fields}


class Analysis(_Found):
    """The analysis of one revision.

    `method` is `rules`, or names the language model whose findings were added. `ranked_by` tells what chose the
    summary: `words`, `words+vectors` (the index's own vectors), or the model's name. `fallback` tells why a configured
    model did not take part, or not everywhere. `written_at` is when the version arrived, `pages_left_out` are pages
    beyond what is read, `dropped` counts what did not stand in the text.
    """

    document_id: str
    version: int
    revision: int
    method: str
    ranked_by: str
    fallback: str | None = None
    document_date: WrittenDate | None = None
    written_at: str
    pages: int
    pages_left_out: int = 0
    dropped: int = 0
    at: str
    findings: Findings
