"""The audit log as callers see it."""

from typing import Any, Self

from pydantic import BaseModel, Field

from almanac.audit.chain import Checked, Fault, Line, Link
from almanac.audit.trail import Result

_HASH = "61951bbdd78d168e3ef3602e912b100533a67cc610ac2c53c4e41f7d5d8a9ff4"
_AT = "2026-01-31T12:00:00.000Z"


class Actor(BaseModel):
    """Who called: a person, a service account, an API key, or `operator`."""

    id: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    role: str | None = Field(default=None, examples=["owner"])
    key_id: str | None = Field(default=None, examples=["key_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    session_id: str | None = None


class CallSource(BaseModel):
    """From where: gone once the person is erased."""

    ip: str | None = Field(default=None, examples=["192.0.2.1"])
    user_agent: str | None = Field(default=None, examples=["almanac/0.1"])


class AuditEntry(BaseModel):
    """One call: who did what to which resource, from where, with which result."""

    seq: int = Field(description="Its number in the tenant's log; there are no gaps.", examples=[7])
    id: str
    at: str = Field(description="When the call began.", examples=[_AT])
    sealed_at: str = Field(description="When the entry was chained.", examples=[_AT])
    actor: Actor
    action: str = Field(description="The operation, as the OpenAPI document names it.", examples=["create_project"])
    method: str = Field(examples=["POST"])
    resource: dict[str, str] = Field(
        description="Ids of the address, and `created`: what the call made.",
        examples=[{"created": "prj_01k9zq3v7m8x2c4b6n0d1f5g7h"}],
    )
    facts: dict[str, str] = Field(description="What the ids do not tell.", examples=[{"role": "admin"}])
    source: CallSource | None
    correlation_id: str
    result: Result = Field(description="`unknown`: the call began and nobody saw its end.", examples=["succeeded"])
    status: int | None = Field(description="The HTTP status.", examples=[201])
    code: str | None = Field(description="The code of its problem.", examples=["project_not_found"])
    hash: str = Field(examples=[_HASH])

    @classmethod
    def of(cls, line: Line) -> Self:
        given: Line = {"facts": {}, "source": None, "status": None, "code": None}
        return cls.model_validate(given | line)


class AuditEntryList(BaseModel):
    """One page of entries, the newest first. A page may be short, or empty, and the list still go on."""

    items: list[AuditEntry]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")


class ChainPlace(BaseModel):
    """A place in the chain: keep it, and nobody can rewrite what came before without your noticing."""

    seq: int = Field(examples=[128])
    hash: str = Field(examples=[_HASH])

    @classmethod
    def of(cls, link: Link) -> Self:
        return cls(seq=link.seq, hash=link.hash)


class ChainBreak(BaseModel):
    """The first place where the log is not what was written."""

    seq: int
    fault: Fault
    detail: str


class ChainCheck(BaseModel):
    """How far the log is whole, from the entry after `after`."""

    intact: bool = Field(description="Whether no fault was found up to `verified`.")
    after: int
    verified: ChainPlace = Field(description="The last entry that is as it was written.")
    head: ChainPlace = Field(description="The last entry that was sealed.")
    next_after: int | None = Field(description="Send it as `after` to go on; null when the log was read to its end.")
    broken: ChainBreak | None
    sources_erased: int = Field(description="Entries whose source is no longer there, which breaks nothing.")
    open: int = Field(description="Entries that are not sealed yet, at most 1000 counted.")
    oldest_open_at: str | None

    @classmethod
    def of(cls, checked: Checked, after: int, head: Link, *, goes_on: bool, opened: list[str]) -> Self:
        broken: dict[str, Any] | None = vars(checked.broken) if checked.broken else None
        return cls(
            intact=broken is None,
            after=after,
            verified=ChainPlace.of(checked.last),
            head=ChainPlace.of(head),
            next_after=checked.last.seq if goes_on and broken is None else None,
            broken=ChainBreak.model_validate(broken) if broken else None,
            sources_erased=checked.erased,
            open=len(opened),
            oldest_open_at=opened[0] if opened else None,
        )
