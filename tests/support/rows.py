"""What a search can find, by the rule of the design and with none of the engine's code."""

from collections.abc import Mapping

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.embeddings.testing import HashEmbedder
from almanac.index.ingest import model_of
from almanac.index.manifest import Manifest, ManifestState
from almanac.index.segments import decode
from almanac.index.sources import Kind, SourceInfo

Row = tuple[str, str, tuple[str, ...], str]
"""Kind, path or commit, branches, text."""


async def visible(tenant: str, table: Table, blobs: Blobs) -> list[Row]:
    """Return the visible rows of a tenant.

    A batch that was split and sent again leaves one version of a source in two segments. One of them is shown, so it
    must not matter which.
    """
    state = await Manifest(table, tenant).read()
    newest: dict[str, int] = dict(state.erased)
    found: dict[tuple[str, int], list[Row]] = {}
    for name in sorted(state.segments(HashEmbedder.slug)):
        body = await blobs.get(keys.part_object(tenant, HashEmbedder.slug, name))
        assert body is not None
        segment = decode(body, key=name, sha256=name, model=model_of(HashEmbedder()))
        for ref in segment.tombstones:
            newest[ref.source_id] = max(newest.get(ref.source_id, 0), ref.version)
        for place, info in enumerate(segment.sources):
            version = (info.source_id, info.version)
            newest[info.source_id] = max(newest.get(info.source_id, 0), info.version)
            rows = [_row(info, row.text) for row in segment.rows if row.source == place]
            assert found.setdefault(version, rows) == rows, "two segments disagree about one version of a source"
    shown = (kept for (name, version), kept in found.items() if _shows(state, newest, name, version))
    return [row for kept in shown for row in kept]


def _shows(state: ManifestState, newest: Mapping[str, int], source_id: str, version: int) -> bool:
    return newest[source_id] == version and state.erased.get(source_id, 0) < version


def _row(info: SourceInfo, text: str) -> Row:
    named = info.path if info.kind is Kind.CODE else info.citation.commit
    return info.kind.value, named or "", tuple(info.citation.branches), text
