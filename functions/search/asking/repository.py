"""One caller's conversations in the table: nobody else finds them.

A conversation's item counts its turns, and each turn is an item under the next number: both are written in one
transaction that demands the count that was read. Of two turns said at once one is refused, and takes the next number.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Update
from almanac.clock import now
from almanac.errors import RetryableError
from almanac.ids import is_id, new_id
from almanac.visible import Sight
from search.asking.errors import ConversationBusy, ConversationNotFound

LIFETIME_SECONDS = 90 * 24 * 3600
"""From the last turn on; each turn goes as long after it was said."""
NOT_SHOWN = "This answer is not shown any more."
_ATTEMPTS = 12
_DELETED_AT_ONCE = 100


@dataclass(frozen=True)
class Conversation:
    id: str
    title: str
    created_at: str
    updated_at: str
    turns: int


@dataclass(frozen=True)
class Turn:
    """A question and its answer, which is kept as it was given. `filters` are those that the answer was found under.

    `projects` are those that it quotes, or that the turns do by which the question was made to stand alone; with them
    the collections and documents.
    """

    number: int
    question: str
    resolved_question: str
    answer: Mapping[str, Any]
    filters: Mapping[str, Any]
    at: str
    projects: tuple[str, ...] = ()

    def as_seen(self, hidden: frozenset[str]) -> "Turn":
        """Return the turn without its answer where that tells of what the caller does not see any more."""
        if hidden.isdisjoint(self.projects):
            return self
        nothing = {"answer": NOT_SHOWN, "answered": False, "sentences": [], "citations": [], "contradictions": []}
        return replace(self, resolved_question=self.question, answer={**self.answer, **nothing})


async def unseen(table: Table, sight: Sight, tenant_id: str, turns: Iterable[Turn]) -> frozenset[str]:
    """Return what turns quote and a caller does not see now, beside all other projects and collections like it.

    A document may have been deleted since, or moved to where the caller does not see it.
    """
    named = sorted({name for turn in turns for name in turn.projects if name.startswith("doc_")})
    items = await table.batch_get([keys.document(tenant_id, name) for name in named], consistent=True) if named else []
    hidden = await sight.hidden()
    seen = {item["id"] for item in items if is_active(item) and hidden.isdisjoint(_owners(item))}
    return hidden | (frozenset(named) - seen)


def _owners(document: Item) -> set[str]:
    return {document.get("project_id", ""), document.get("collection_id", "")}


@dataclass(frozen=True)
class Listed:
    """One page; `next` is where the page after it begins, None at the end."""

    conversations: list[Conversation]
    next: str | None


class Conversations:
    """What `actor_id` asks is its own, whatever others may see."""

    def __init__(self, table: Table, tenant_id: str, actor_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._actor_id = actor_id

    async def create(self, title: str) -> Conversation:
        moment = now()
        made = Conversation(new_id("cnv"), title, moment, moment, 0)
        item = {
            **keys.conversation(self._tenant_id, made.id).as_dict(),
            "gsi1pk": keys.conversations(self._tenant_id, self._actor_id),
            "gsi1sk": made.id,
            "entity": "conversation",
            "actor_id": self._actor_id,
            **vars(made),
            "expires_at": _expiry(),
        }
        await self._table.write(Put(item))
        return made

    async def get(self, conversation_id: str, *, field: str | None = None) -> Conversation:
        """Return a conversation; raises `ConversationNotFound`, which names `field`."""
        key = keys.conversation(self._tenant_id, conversation_id)
        item = await self._table.get(key) if is_id(conversation_id, "cnv") else None
        if item is None or item["expires_at"] <= time.time() or item.get("actor_id") != self._actor_id:
            raise ConversationNotFound(field=field)
        return _conversation(item)

    async def turns(self, conversation_id: str, limit: int, after: int) -> tuple[list[Turn], int | None]:
        """Return turns in order, those behind number `after`, and the number that the next page begins behind."""
        found: list[Item] = []
        start: Item | None = (
            keys.conversation_turn(self._tenant_id, conversation_id, after).as_dict() if after else None
        )
        while len(found) <= limit:
            page = await self._table.query(
                keys.conversation(self._tenant_id, conversation_id).pk,
                prefix=keys.conversation_turns(),
                after=start,
                limit=limit + 1 - len(found),
            )
            found += page.items
            start = page.last_key
            if start is None:
                break
        turns = [_turn(item) for item in found[:limit]]
        return turns, turns[-1].number if len(found) > limit else None

    async def recent(self, conversation_id: str, limit: int) -> list[Turn]:
        """Return the last turns, the oldest of them first."""
        page = await self._table.query(
            keys.conversation(self._tenant_id, conversation_id).pk,
            prefix=keys.conversation_turns(),
            limit=limit,
            newest_first=True,
        )
        return [_turn(item) for item in reversed(page.items)]

    async def append(self, conversation_id: str, turn: Turn, *, field: str | None = None) -> Turn:
        """Put a turn behind all that were said, whatever its number; raises `ConversationNotFound` or `Busy`."""
        for attempt in range(_ATTEMPTS):
            known = await self.get(conversation_id, field=field)
            said = Turn(**{**vars(turn), "number": known.turns + 1})
            try:
                await self._table.transact(self._said(conversation_id, said))
            except ConditionFailed:
                # Another turn took the number, or the conversation is gone: look again.
                await asyncio.sleep(0.005 * attempt)
            except RetryableError:
                await asyncio.sleep(0.02 * attempt)
            else:
                return said
        raise ConversationBusy

    def _said(self, conversation_id: str, turn: Turn) -> list[Put | Update]:
        key = keys.conversation_turn(self._tenant_id, conversation_id, turn.number)
        item = {**key.as_dict(), "entity": "conversation_turn", **vars(turn), "expires_at": _expiry()}
        counted = Update(
            keys.conversation(self._tenant_id, conversation_id),
            set={"turns": turn.number, "updated_at": turn.at, "expires_at": _expiry()},
            condition="attribute_exists(#pk) AND #turns = :before",
            values={":before": turn.number - 1},
        )
        return [counted, Put(item)]

    async def delete(self, conversation_id: str) -> None:
        """Remove a conversation at once and its turns after it; turns that a failure leaves behind expire unseen."""
        key = keys.conversation(self._tenant_id, conversation_id)
        await self.get(conversation_id)
        await self._table.write(Delete(key))
        turns = [keys.Key(item["pk"], item["sk"]) async for item in self._table.query_all(key.pk)]
        for start in range(0, len(turns), _DELETED_AT_ONCE):
            await self._table.transact([Delete(turn) for turn in turns[start : start + _DELETED_AT_ONCE]])

    async def list(self, limit: int, before: str | None) -> Listed:
        """Return a page, the newest first, of those older than `before`."""
        partition = keys.conversations(self._tenant_id, self._actor_id)
        after: Item | None = None
        if before is not None:
            key = keys.conversation(self._tenant_id, before)
            after = {**key.as_dict(), "gsi1pk": partition, "gsi1sk": before}
        found: list[Item] = []
        while len(found) <= limit:
            page = await self._table.query(
                partition, index=keys.CHILDREN_INDEX, after=after, limit=limit + 1 - len(found), newest_first=True
            )
            found += [item for item in page.items if item["expires_at"] > time.time()]
            after = page.last_key
            if after is None:
                break
        shown = [_conversation(item) for item in found[:limit]]
        return Listed(shown, shown[-1].id if len(found) > limit else None)


def _conversation(item: Item) -> Conversation:
    return Conversation(**{name: item[name] for name in Conversation.__dataclass_fields__})


def _turn(item: Item) -> Turn:
    fields = {name: item[name] for name in Turn.__dataclass_fields__ if name != "projects"}
    return Turn(**fields, projects=tuple(item.get("projects", ())))


def _expiry() -> int:
    return int(time.time()) + LIFETIME_SECONDS
