"""What changed between two versions, as callers see it."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from documents.diff import passages, saying

ChangeKind = Literal["added", "removed", "changed", "moved"]


class DiffSide(BaseModel):
    """A passage in one of the versions. `whole`: nothing was cut off."""

    page: int = Field(description="The page, slide, sheet or section, numbered through the file.", examples=[3])
    label: str = Field(description="Where a reader of the file finds it.", examples=["page 3"])
    text: str = Field(examples=["Payment is due net 30."])
    marks: list[tuple[int, int]] = Field(
        description="The words that differ, as ranges [start, end) of the text in Unicode code points.",
        examples=[[[19, 21]]],
    )
    whole: bool = Field(examples=[True])

    @classmethod
    def of(cls, passage: passages.Passage, side: passages.Side | None) -> Self | None:
        if side is None:
            return None
        return cls(page=side.page, label=side.label, text=side.text, marks=passage.marks(side), whole=side.whole)


class DiffChange(BaseModel):
    """One change: `before` is null for what was added, `after` for what was removed."""

    kind: ChangeKind = Field(examples=["changed"])
    says: str = Field(description="The change in words.", examples=['page 3: "net 30" became "net 45"'])
    before: DiffSide | None
    after: DiffSide | None

    @classmethod
    def of(cls, passage: passages.Passage) -> Self:
        before, after = (DiffSide.of(passage, side) for side in (passage.before, passage.after))
        return cls(kind=passage.kind, says=saying.sentence(passage), before=before, after=after)


class DocumentDiff(BaseModel):
    """What changed from one version to another, in words and in passages, in the order of the later one."""

    document_id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    from_version: int = Field(examples=[3])
    to_version: int = Field(examples=[5])
    summary: list[str] = Field(
        description="How much changed, then the first changes in words; of all of them, on every page.",
        examples=[["1 passage differs: 1 changed.", 'page 3: "net 30" became "net 45"']],
    )
    counts: dict[ChangeKind, int] = Field(examples=[{"added": 0, "removed": 0, "changed": 1, "moved": 0}])
    items: list[DiffChange]
    next_cursor: str | None = Field(description="Continues the changes; null at their end.", examples=[None])
