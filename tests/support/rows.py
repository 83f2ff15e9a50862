"""What a search can find, by the rule of the design and with none of the engine's code."""

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.embeddings.testing import HashEmbedder
from almanac.index.ingest import model_of
from almanac.index.manifest import Manifest
from almanac.index.parts import open_part, source_key
from almanac.index.sources import Kind, SourceInfo

Row = tuple[str, str, tuple[str, ...], str]
"""Kind, path or commit, branches, text."""


async def visible(tenant: str, table: Table, blobs: Blobs) -> list[Row]:
    """Return the visible rows of a tenant.

    A batch that was split and sent again leaves one version of a source in two segments. One of them is shown, so it
    must not matter which.
    """
    state = await Manifest(table, tenant).read()
    newest: dict[str, int] = {}
    buried = {source_key(source_id): version for source_id, version in state.erased.items()}
    found: dict[tuple[str, int], tuple[str, list[Row]]] = {}
    for name in sorted(state.segments(HashEmbedder.slug)):
        body = await blobs.get(keys.part_object(tenant, HashEmbedder.slug, name))
        assert body is not None
        part = open_part(body, name=name, key=name, model=model_of(HashEmbedder()))
        for high, low, gone, *_ in zip(*(column.tolist() for column in part.graves()), strict=True):
            buried[high, low] = max(buried.get((high, low), 0), gone)
        for info, chunks in part.walk():
            version = (info.source_id, info.version)
            newest[info.source_id] = max(newest.get(info.source_id, 0), info.version)
            rows = info.container_id, [_row(info, row.text) for row in chunks]
            assert found.setdefault(version, rows) == rows, "two segments disagree about one version of a source"
    floors = state.floors
    shown = (
        kept
        for (name, version), (container, kept) in found.items()
        if version == newest[name] > buried.get(source_key(name), 0) and version >= floors.get(container, 0)
    )
    return [row for kept in shown for row in kept]


def _row(info: SourceInfo, text: str) -> Row:
    named = info.path if info.kind is Kind.CODE else info.citation.commit
    return info.kind.value, named or "", tuple(info.citation.branches), text
