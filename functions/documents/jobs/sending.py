"""Parts on their way to the index: sent, awaited, and answered for."""

from contextlib import suppress

from almanac.aws import keys, outbox
from almanac.aws.table import Put, Update, Write
from almanac.clock import now
from almanac.events import DocumentOrigin, IndexSources
from almanac.index.manifest import Awaited
from documents.jobs import progress
from documents.jobs.context import Context, Decision
from documents.model import Document, Part, PartState, Step
from documents.store import AlsoRefused

_PARTS_AT_ONCE = 30
"""Three writes for each beside those of the document, in one transaction."""


def part_update(context: Context, document_id: str, revision: int, part: Part, before: PartState) -> Update:
    """Return the write of a part that was in the state `before`; refused when somebody else brought it further."""
    key = keys.document_part(context.tenant_id, document_id, revision, part.part)
    fields = {name: value for name, value in part.model_dump().items() if name != "part"}
    return Update(key, set=fields, condition="#state = :before", values={":before": before.value})


def indexing(context: Context, document_id: str, revision: int, part: int) -> IndexSources:
    """Return what has a part indexed."""
    return IndexSources(
        **context.common,
        batch_key=keys.document_text(context.tenant_id, document_id, revision, part),
        origin=DocumentOrigin(document_id=document_id, revision=revision, part=part),
    )


def awaited_name(document_id: str, revision: int, part: int) -> str:
    return f"{document_id}#{revision}#{part}"


def sent(context: Context, document: Document, revision: int, part: int) -> list[Put]:
    """Return the writes that send a part: search says that it is on its way, and the embedding worker is told."""
    event = indexing(context, document.id, revision, part)
    awaited = Awaited(
        name=awaited_name(document.id, revision, part),
        origin=event.origin,
        batch_key=event.batch_key,
        container_id=document.container_id,
        since=now(),
    )
    return [context.manifest.await_(awaited), outbox.message(event)]


async def send_read(context: Context, document: Document, revision: int) -> None:
    """Send the parts that are read, a number at once. Each goes once: who comes second finds it on its way."""
    found = await context.store.parts(document.id, revision)
    waiting = [part for part in found if part.first and part.state is PartState.READ]
    group = waiting[:_PARTS_AT_ONCE]

    async def decide(seen: Document) -> Decision | None:
        job = progress.running(seen, revision)
        if job is None or job.step is not Step.CHUNKING:
            return None
        changes = progress.moved(seen, job, step=Step.EMBEDDING if group == waiting else Step.CHUNKING)
        also: list[Write] = []
        reached = seen.pages_sent
        for part in group:
            after = part.model_copy(update={"state": PartState.SENT})
            also += [part_update(context, seen.id, revision, after, PartState.READ)]
            also += sent(context, seen, revision, part.part)
            reached = max(reached, part.offset + part.pages)
        changes |= {"sent_revision": revision, "pages_sent": reached} if group else {}
        return Decision(changes, also)

    with suppress(AlsoRefused):
        await context.change(document.id, decide)
