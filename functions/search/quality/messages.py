"""Messages in the table beside messages in the index."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Item, Table
from almanac.index.sources import Source, SourceBatch, SourceInfo
from almanac.text.chunking import chunk_source
from almanac.text.secrets import clean
from search.indexes.opening import Opened
from search.quality.report import Difference

_PARENTS = 20
_INDEXED = "indexed"

Place = tuple[Any, int]


class Comparison:
    """Compares messages of the table with what one state of the index shows of them."""

    def __init__(self, table: Table, blobs: Blobs, tenant_id: str, opened: Opened) -> None:
        self._table = table
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._opened = opened

    async def differences(self, wanted: Sequence[str]) -> dict[str, Difference]:
        """Return what differs, by message id."""
        found = await self._table.batch_get([keys.message(self._tenant_id, name) for name in wanted], consistent=True)
        items = {item["id"]: item for item in found}
        compared = await asyncio.gather(*(self._difference(name, items.get(name)) for name in wanted))
        differing = {name: each for name, each in zip(wanted, compared, strict=True) if each is not None}
        return {
            name: replace(each, project_id=self._project(name, items.get(name))) for name, each in differing.items()
        }

    def _project(self, message_id: str, item: Item | None) -> str | None:
        place = self._opened.find(_source_id(message_id)) if item is None else None
        return item["project_id"] if item is not None else place[0].info(place[1]).project_id if place else None

    async def _difference(self, message_id: str, item: Item | None) -> Difference | None:
        source_id = _source_id(message_id)
        place = self._opened.find(source_id)
        info = place[0].info(place[1]) if place else None
        if item is None:
            return None if info is None else _differs(source_id, "message_gone", None, f"version {info.version}")
        state, version = self._opened.state, item["version"]
        if {item["project_id"], item["checkpoint_id"]} & state.drops:
            return None
        if any(entry.source_id == source_id and entry.version == version for entry in state.awaiting.values()):
            return None
        if info is None or place is None:
            problem = "not_in_index" if item["indexed"]["state"] == _INDEXED else "not_awaited"
            return _differs(source_id, problem, f"version {version}", None)
        if info.version != version:
            return _differs(source_id, "version_differs", f"version {version}", f"version {info.version}")
        return await self._content_difference(info, item, place)

    async def _content_difference(self, info: SourceInfo, item: Item, place: Place) -> Difference | None:
        if info.author != item.get("author"):
            return _differs(info.source_id, "author_differs", item.get("author"), info.author)
        content = await self._content(item)
        if content is None:
            return _differs(info.source_id, "content_missing", item["batch_key"], None)
        expected, found = await asyncio.to_thread(_texts, info, content, place)
        if expected != found:
            return _differs(info.source_id, "content_differs", digest(expected), digest(found))
        return None

    async def _content(self, item: Item) -> str | None:
        if item.get("content") is not None:
            return str(item["content"])
        body = await self._blobs.get(item["batch_key"])
        if body is None:
            return None
        batch = await asyncio.to_thread(SourceBatch.decode, body)
        return batch.sources[0].text


async def listed(table: Table, tenant_id: str, count: int, chance: Random) -> list[str]:
    """Return ids of some of the tenant's messages: from some of its checkpoints, from some of its projects."""
    found: list[str] = []
    for project in await _children(table, keys.projects(tenant_id), chance):
        for checkpoint in await _children(table, keys.checkpoints(tenant_id, project["id"]), chance):
            page = await table.query(
                keys.messages(tenant_id, checkpoint["id"]),
                index=keys.CHILDREN_INDEX,
                limit=count - len(found),
                newest_first=chance.random() < 0.5,
            )
            found += [item["id"] for item in page.items]
            if len(found) >= count:
                return found
    return found


async def _children(table: Table, partition: str, chance: Random) -> list[Item]:
    page = await table.query(partition, index=keys.CHILDREN_INDEX, limit=100, newest_first=chance.random() < 0.5)
    active = [item for item in page.items if is_active(item)]
    return chance.sample(active, min(_PARENTS, len(active)))


def _source_id(message_id: str) -> str:
    """Return what the index knows a message by."""
    return f"message:{message_id}"


def _texts(info: SourceInfo, content: str, place: Place) -> tuple[list[str], list[str]]:
    part, document = place
    source = Source.model_construct(**dict(info), text=clean(content))
    return [chunk.text for chunk in chunk_source(source)], [part.text(row)[0] for row in part.rows_of(document)]


def digest(texts: Sequence[str]) -> str:
    """Return what is told of texts that differ: how many, and what stands for them."""
    name = hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()[:12]
    return f"{len(texts)} chunks, sha256 {name}"


def _differs(source_id: str, problem: str, expected: str | None, found: str | None) -> Difference:
    return Difference(source_id, "message", problem, expected, found)
