"""One tenant's analyses: the whole in the bucket, by revision, and of the newest what lists and commitments need."""

import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Check, ConditionFailed, Put, Table, Update, Write
from almanac.embeddings import statements as meaning
from almanac.events import EmbedStatements
from documents.analysis.model import ActionItem, Analysis, Decision, ProgressNote, WrittenDate
from documents.model import DocumentState

MOST_STATEMENTS = 200
"""Of each kind, what is kept beside the item for comparing documents, as long as it is not larger than:"""
MOST_BYTES = 200_000


class Statements(BaseModel):
    """What a document promises, and what it says of promises."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    document_date: WrittenDate | None = None
    written_at: str = ""
    actions: list[ActionItem] = Field(default_factory=list)
    decisions: list[Decision] = Field(default_factory=list)
    updates: list[ProgressNote] = Field(default_factory=list)

    @classmethod
    def of(cls, analysis: Analysis, most: int = MOST_STATEMENTS) -> Self:
        found = analysis.findings
        return cls(
            document_date=analysis.document_date,
            written_at=analysis.written_at,
            actions=found.actions[:most],
            decisions=found.decisions[:most],
            updates=found.updates[:most],
        )

    def texts(self) -> Iterator[str]:
        """Yield what is stated: actions, updates, decisions."""
        return (each.what for each in (*self.actions, *self.updates, *self.decisions))

    @property
    def total(self) -> int:
        return len(self.actions) + len(self.decisions) + len(self.updates)


@dataclass(frozen=True)
class Kept:
    """What the table knows of the newest analysis of a document. `complete`: nothing was left out of `statements`."""

    document_id: str
    revision: int
    version: int
    statements: bytes
    complete: bool

    def read(self) -> Statements:
        return Statements.model_validate_json(gzip.decompress(self.statements))


@dataclass(frozen=True)
class AnalysisStore:
    """Reads and writes one tenant's analyses."""

    table: Table
    blobs: Blobs
    tenant_id: str

    async def save(self, analysis: Analysis, encoded: "Encoded", *asking: Write) -> bool:
        """Keep an analysis unless a later revision's is there; False when the document is gone.

        `asking` is written with it, and what follows from it holds for the newest analysis.
        """
        key = keys.document_analysis_object(self.tenant_id, analysis.document_id, analysis.revision)
        await self.blobs.put(key, encoded.body)
        exists = Check(
            keys.document(self.tenant_id, analysis.document_id),
            "attribute_exists(#pk) AND #state <> :deleting",
            {":deleting": DocumentState.DELETING.value},
        )
        newest = Put(
            _item(self.tenant_id, analysis, encoded),
            "attribute_not_exists(#pk) OR #revision <= :revision",
            {":revision": analysis.revision},
        )
        try:
            await self.table.transact([exists, newest, *asking])
        except ConditionFailed as failed:
            if failed.position == 0:
                # Whoever removes the document may have passed here already.
                async for _ in self.blobs.erase(key):
                    pass
                return False
        return True

    def asking(self, analysis: Analysis, encoded: "Encoded", correlation_id: str) -> list[Write]:
        """Return what asks for vectors of what a document states."""
        document_id, revision = analysis.document_id, analysis.revision
        event = EmbedStatements(
            tenant_id=self.tenant_id, correlation_id=correlation_id, document_id=document_id, revision=revision
        )
        asked = meaning.asking(self.tenant_id, document_id, revision, encoded.texts)
        return [asked, outbox.message(event)] if isinstance(asked, Update) else [asked]

    async def meanings(self, document_ids: Sequence[str]) -> Mapping[str, meaning.Meanings]:
        """Return the vectors of what some documents state, as far as there are any."""
        items = await self.table.batch_get([keys.document_meaning(self.tenant_id, name) for name in document_ids])
        return {item["document_id"]: meaning.Meanings.from_item(item) for item in items}

    async def get(self, document_id: str, revision: int) -> Analysis | None:
        """Return the analysis of one revision."""
        body = await self.blobs.get(keys.document_analysis_object(self.tenant_id, document_id, revision))
        return decode(body) if body is not None else None

    async def kept(self, document_ids: Sequence[str]) -> Mapping[str, Kept]:
        """Return what the table knows of the newest analyses of some documents."""
        items = await self.table.batch_get([keys.document_analysis(self.tenant_id, name) for name in document_ids])
        return {item["document_id"]: _kept(item) for item in items}


class Encoded(NamedTuple):
    """An analysis as it is written. `complete`: nothing was left out of the statements, whose `texts` these are."""

    body: bytes
    statements: bytes
    complete: bool
    texts: tuple[str, ...] = ()


def encode(analysis: Analysis) -> Encoded:
    """Return what is written of an analysis; equal ones give equal bytes. Blocks."""
    body = _packed(analysis.model_dump_json(exclude_none=True))
    found, most = analysis.findings, MOST_STATEMENTS
    while len(statements := _packed(Statements.of(analysis, most).model_dump_json(exclude_none=True))) > MOST_BYTES:
        most //= 2
    texts = tuple(Statements.of(analysis, most).texts())
    complete = max(len(found.actions), len(found.decisions), len(found.updates)) <= most
    return Encoded(body, statements, complete, texts)


def decode(body: bytes) -> Analysis | None:
    """Read the object; None for anything else."""
    try:
        return Analysis.model_validate_json(gzip.decompress(body))
    except (OSError, EOFError, zlib.error, ValidationError):
        return None


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode("utf-8", "replace"), compresslevel=6, mtime=0)


def _item(tenant_id: str, analysis: Analysis, encoded: Encoded) -> dict[str, Any]:
    return {
        **keys.document_analysis(tenant_id, analysis.document_id).as_dict(),
        "entity": "document_analysis",
        "document_id": analysis.document_id,
        "revision": analysis.revision,
        "version": analysis.version,
        "method": analysis.method,
        "counts": analysis.findings.counts(),
        "at": analysis.at,
        "statements": encoded.statements,
        "complete": encoded.complete,
    }


def _kept(item: Mapping[str, Any]) -> Kept:
    return Kept(item["document_id"], item["revision"], item["version"], item["statements"], item["complete"])
