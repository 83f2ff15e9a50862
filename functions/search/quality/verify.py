"""Comparing an index with its sources, both ways: a sample of what it shows, and a sample of what it should show.

What is written meanwhile would look like a difference. So messages and pages that seem to differ are compared again,
with a later state of the index, and only what differs twice is told.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.clock import now
from almanac.embeddings.base import Embedder
from almanac.errors import RetryableError, TerminalError, Unavailable
from almanac.index import repair
from almanac.index.manifest import Manifest, ManifestState, PartRef, SegmentEntry
from almanac.index.reader import Reader
from almanac.index.sources import Kind, SourceInfo
from almanac.index.visibility import visible_documents
from almanac.observability import emit, log
from almanac.text.chunking import Chunk, embedding_text
from search.indexes.opening import Opened, open_index
from search.quality import documents, messages, repositories
from search.quality.report import MOST_DIFFERENCES, Difference, Report

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes
    from almanac.index.parts import Part

_VECTORS = 5
_LIKE = 0.99
"""One model gives vectors this much alike on every processor: 0.9976 and more was measured for the embedded one."""
_PART_BYTES = 256 << 20
_READS_AT_ONCE = 4


@dataclass(frozen=True)
class Shown:
    """A visible document: where it lies and what it says of itself."""

    part: "Part"
    document: int
    info: SourceInfo


@dataclass
class _Findings:
    checked: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    repairs: int = 0


class Verification:
    """One comparison for one tenant. `seed` chooses the sample."""

    def __init__(
        self, table: Table, blobs: Blobs, reader: Reader, manifest: Manifest, tenant_id: str, sample: int, seed: str
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._reader = reader
        self._manifest = manifest
        self._tenant_id = tenant_id
        self._sample = sample
        self._chance = Random(seed)  # noqa: S311 - a sample, not a secret
        self._found = _Findings()

    async def run(self, embedder_for: Callable[[str], Embedder]) -> Report:
        """Compare, keep the report as the tenant's last, and return it."""
        state = await self._manifest.read()
        await self._parts(state)
        try:
            opened = await open_index(self._reader, self._tenant_id, state, state.directory.serving.id)
        except Unavailable as error:
            self._found.skipped.append(f"sources: {error.detail}")
        else:
            shown = await asyncio.to_thread(self._sampled, opened)
            await self._messages(opened, shown)
            await self._documents(opened, shown)
            await self._repositories(opened, shown)
            await self._vectors(embedder_for(opened.info.model), shown)
        return await self._report(state)

    async def _parts(self, state: ManifestState) -> None:
        """Read objects of the index from the bucket, not from a copy, and compare them with their names."""
        info = state.directory.serving
        refs: list[PartRef | SegmentEntry] = [*state.segments(info.id).values()]
        for snapshot in state.snapshots.get(info.id, {}).values():
            refs += [snapshot.current] if snapshot.current else []
            refs += snapshot.history
        chosen: list[PartRef | SegmentEntry] = []
        size = 0
        for ref in self._chance.sample(refs, min(self._sample, len(refs))):
            if size + ref.size <= _PART_BYTES or not chosen:
                chosen.append(ref)
                size += ref.size
        if len(chosen) < len(refs):
            self._found.skipped.append(f"parts: {len(refs) - len(chosen)} of {len(refs)} were not read")
        slots = asyncio.Semaphore(_READS_AT_ONCE)

        async def read(ref: PartRef | SegmentEntry) -> None:
            async with slots:
                await self._part(info.id, ref.sha256)

        await asyncio.gather(*(read(ref) for ref in chosen))
        self._found.checked["parts"] = len(chosen)

    async def _part(self, index_id: str, sha256: str) -> None:
        key = keys.part_object(self._tenant_id, index_id, sha256)
        body = await self._blobs.get(key)
        digest = None if body is None else await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest())
        if digest == sha256:
            return
        if digest is None and sha256 not in _names(await self._manifest.read(), index_id):
            return  # It was merged into another and swept away meanwhile.
        problem = "missing" if digest is None else "checksum_differs"
        self._found.differences.append(Difference(key, "part", problem, sha256, digest))
        self._found.repairs += 1
        await self._table.write(outbox.message(repair.request(self._tenant_id, index_id, sha256, problem)))

    def _sampled(self, opened: Opened) -> list[Shown]:
        """Choose visible documents, all equally likely."""
        visible = opened.visible()
        places = [visible_documents(shown) for shown in visible]
        ends = np.cumsum([len(each) for each in places]) if places else np.empty(0, np.int64)
        total = int(ends[-1]) if len(ends) else 0
        found = []
        for number in sorted(self._chance.sample(range(total), min(self._sample, total))):
            which = int(np.searchsorted(ends, number, "right"))
            document = int(places[which][number - (int(ends[which - 1]) if which else 0)])
            part = visible[which].part
            found.append(Shown(part, document, part.info(document)))
        return found

    async def _messages(self, opened: Opened, shown: Sequence[Shown]) -> None:
        names = [each.info.citation.message_id for each in shown if each.info.kind is Kind.MESSAGE]
        inside = [name for name in names if name is not None]
        listed = await messages.listed(self._table, self._tenant_id, self._sample, self._chance)
        wanted = list(dict.fromkeys([*inside, *listed]))
        self._found.checked["messages"] = len(wanted)
        differing = await self._compared(opened, wanted)
        if differing:
            state = await self._manifest.read()
            later = await open_index(self._reader, self._tenant_id, state, state.directory.serving.id)
            differing = await self._compared(later, differing)
        self._found.differences += differing.values()

    async def _compared(self, opened: Opened, wanted: Iterable[str]) -> dict[str, Difference]:
        comparison = messages.Comparison(self._table, self._blobs, self._tenant_id, opened)
        return await comparison.differences(list(wanted))

    async def _documents(self, opened: Opened, shown: Sequence[Shown]) -> None:
        infos = (each.info for each in shown if each.info.kind is Kind.DOCUMENT)
        listed = await documents.listed(self._table, self._tenant_id, self._sample, self._chance)
        wanted = documents.wanted_of(infos, listed)
        if not wanted:
            return
        self._found.checked["documents"] = len({name for name, _ in wanted})
        differing = await documents.Comparison(self._table, self._blobs, self._tenant_id, opened).differences(wanted)
        if differing:
            state = await self._manifest.read()
            later = await open_index(self._reader, self._tenant_id, state, state.directory.serving.id)
            again = documents.Comparison(self._table, self._blobs, self._tenant_id, later)
            differing = await again.differences(list(differing))
        self._found.differences += differing.values()

    async def _repositories(self, opened: Opened, shown: Sequence[Shown]) -> None:
        for each in shown:
            if each.info.kind not in {Kind.MESSAGE, Kind.DOCUMENT}:
                self._found.checked[each.info.kind.value] += 1
                self._found.differences += repositories.citation_differences(each.info)
        heads = [head for _, head in sorted(opened.state.standing.items())]
        chosen = self._chance.sample(heads, min(self._sample, len(heads)))
        compared, differences = await repositories.differences(self._table, self._tenant_id, opened, chosen)
        self._found.checked["repositories"] = compared
        if compared < len(heads):
            self._found.skipped.append(f"repositories: {len(heads) - compared} are being synced or were not chosen")
        self._found.differences += differences

    async def _vectors(self, embedder: Embedder, shown: Sequence[Shown]) -> None:
        """Embed a few texts again and compare the codes."""
        rows = [(each, row) for each in shown for row in each.part.rows_of(each.document) if each.part.scales[row] > 0]
        chosen = self._chance.sample(rows, min(_VECTORS, len(rows)))
        if not chosen:
            return
        try:
            fresh = await embedder.embed_documents([_text(each, row) for each, row in chosen])
        except (RetryableError, TerminalError) as error:
            self._found.skipped.append(f"vectors: {error}")
            return
        for (each, row), code in zip(chosen, fresh, strict=True):
            likeness = _cosine(code, each.part.vectors[row])
            if likeness < _LIKE:
                said = f"cosine {likeness:.4f}"
                self._found.differences.append(
                    Difference(
                        each.info.source_id,
                        "vector",
                        "vector_differs",
                        f"at least {_LIKE}",
                        said,
                        each.info.project_id,
                        each.info.container_id,
                    )
                )
        self._found.checked["vectors"] = len(chosen)

    async def _report(self, state: ManifestState) -> Report:
        found = self._found
        report = Report(
            at=now(),
            index_id=state.directory.serving.id,
            sample=self._sample,
            checked=dict(found.checked),
            differences=found.differences[:MOST_DIFFERENCES],
            left_off=max(0, len(found.differences) - MOST_DIFFERENCES),
            repairs=found.repairs,
            skipped=found.skipped,
        )
        await self._table.write(report.put(self._tenant_id))
        emit({"IndexDifferences": (len(found.differences), "Count")})
        log("info", "index verified", tenant=self._tenant_id, differences=len(found.differences), **report.checked)
        return report


def _names(state: ManifestState, index_id: str) -> set[str]:
    found = set(state.segments(index_id))
    for snapshot in state.snapshots.get(index_id, {}).values():
        found |= {ref.sha256 for ref in (snapshot.current, *snapshot.history) if ref}
    return found


def _text(shown: Shown, row: int) -> str:
    found = shown.part.row(row)
    return embedding_text(Chunk(found.ordinal, found.text, found.start_line, found.end_line, 0, 0, found.context))


def _cosine(one: "Codes", other: "Codes") -> float:
    left, right = one.astype(np.float64), other.astype(np.float64)
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if lengths else 0.0
