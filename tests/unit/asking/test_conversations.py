"""Turns of one conversation, said at once or by processes that die: none is lost, none is between two others."""

import asyncio
import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.aws.table import Table
from search.asking.errors import ConversationBusy, ConversationNotFound
from search.asking.repository import Conversations, Turn
from tests.support.memory import Killed, MemoryStore


def turn(question: str) -> Turn:
    return Turn(0, question, question, {"answer": "", "citations": []}, {}, "2026-01-31T12:00:00.000Z")


def conversations(store: MemoryStore, tenant: str = "ten_1") -> Conversations:
    return Conversations(Table("almanac", store), tenant, "usr_1")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 8))
def test_turns_said_at_once_are_all_kept_under_numbers_without_gaps(seed: int, count: int) -> None:
    chance, store = random.Random(seed), MemoryStore()
    kept = conversations(store)

    async def together() -> tuple[str, list[Turn]]:
        made = await kept.create("")
        store.pauses = lambda: chance.randrange(4)
        return made.id, await asyncio.gather(*(kept.append(made.id, turn(f"q{n}")) for n in range(count)))

    conversation, said = asyncio.run(together())
    found, following = asyncio.run(kept.turns(conversation, 100, 0))
    assert following is None
    assert [entry.number for entry in found] == list(range(1, count + 1))
    assert {entry.question for entry in found} == {f"q{n}" for n in range(count)}
    assert sorted(said, key=lambda entry: entry.number) == found
    assert asyncio.run(kept.get(conversation)).turns == count


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("call", range(1, 4))
def test_a_turn_whose_process_dies_is_kept_whole_or_not_at_all(call: int, after_effect: bool) -> None:
    store = MemoryStore()
    kept = conversations(store)
    made = asyncio.run(kept.create(""))
    asyncio.run(kept.append(made.id, turn("first")))
    store.kill_at, store.kill_after_effect = call, after_effect
    with suppress(Killed):
        asyncio.run(kept.append(made.id, turn("second")))
    store.revive()
    asyncio.run(kept.append(made.id, turn("third")))
    found, _ = asyncio.run(kept.turns(made.id, 100, 0))
    assert [entry.number for entry in found] == list(range(1, len(found) + 1))
    assert [entry.question for entry in found] in (["first", "third"], ["first", "second", "third"])


def test_a_conversation_that_is_never_free_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    kept = conversations(store)
    made = asyncio.run(kept.create(""))
    get = kept.get

    async def stale(conversation_id: str, *, field: str | None = None) -> object:
        found = await get(conversation_id, field=field)
        return type(found)(**{**vars(found), "turns": 7})

    monkeypatch.setattr(
        Conversations, "get", lambda _, conversation_id, field=None: stale(conversation_id, field=field)
    )
    with pytest.raises(ConversationBusy):
        asyncio.run(kept.append(made.id, turn("never")))


def test_a_delete_leaves_nothing_and_other_tenants_alone() -> None:
    store = MemoryStore()
    mine, theirs = conversations(store), conversations(store, "ten_2")
    one, other = asyncio.run(mine.create("")), asyncio.run(theirs.create(""))
    for number in range(130):
        asyncio.run(mine.append(one.id, turn(f"q{number}")))
    asyncio.run(theirs.append(other.id, turn("kept")))
    with pytest.raises(ConversationNotFound):
        asyncio.run(theirs.delete(one.id))
    asyncio.run(mine.delete(one.id))
    assert {pk.split("#")[1] for pk, _ in store.items} == {"ten_2"}
