"""Vectors of what documents state, made where the model is."""

from contextlib import suppress

from almanac.aws import keys
from almanac.aws.table import ConditionFailed
from almanac.embeddings.base import slug_of
from almanac.embeddings.cache import FLUSH_EVERY
from almanac.embeddings.statements import Meanings, answering, are_compared, name_of
from almanac.errors import RetryableError
from almanac.events import EmbedStatements
from almanac.index.manifest import Directory, from_item
from almanac.observability import emit
from almanac.worker.batch import Deadline
from search import wiring

_RESERVE_SECONDS = 20


async def embed(message: EmbedStatements, deadline: Deadline) -> None:
    """Give a document's statements their vectors; those that it has are not made again.

    Nothing is left to do for a document that is gone or asked again since, nor with a model whose vectors are not
    compared. The last write depends on the row that asked, so nothing comes back after a deletion.
    Raises `RetryableError` when time ran out.
    """
    item = await wiring.table().get(keys.document_meaning(message.tenant_id, message.document_id))
    asked = Meanings.from_item(item) if item else None
    model = await _model(message.tenant_id)
    if asked is None or asked.texts is None or asked.revision != message.revision or not are_compared(slug_of(model)):
        return
    embedder = wiring.embedder_for(model)
    known = asked.codes if asked.fingerprint == embedder.fingerprint else {}
    wanted = {name_of(text): text for text in asked.texts}
    missing = [name for name in wanted if name not in known]
    fresh: dict[bytes, bytes] = {}
    for start in range(0, len(missing), FLUSH_EVERY):
        if deadline.remaining() < _RESERVE_SECONDS:
            raise RetryableError("no time was left for statements")
        names = missing[start : start + FLUSH_EVERY]
        codes = await embedder.embed_documents([wanted[name] for name in names])
        fresh |= {name: code.tobytes() for name, code in zip(names, codes, strict=True)}
    found = Meanings(
        revision=asked.revision,
        slug=embedder.slug,
        fingerprint=embedder.fingerprint,
        codes={name: fresh.get(name) or known[name] for name in wanted},
    )
    with suppress(ConditionFailed):
        await wiring.table().write(answering(message.tenant_id, message.document_id, found))
    emit({"StatementsEmbedded": (len(missing), "Count")}, worker="embedding")


async def _model(tenant_id: str) -> str:
    """Return the name of the model whose vectors the tenant's searches use."""
    item = await wiring.table().get(keys.index_directory(tenant_id))
    entry = from_item(item) if item else None
    return (entry if isinstance(entry, Directory) else wiring.default_directory()).serving.model
