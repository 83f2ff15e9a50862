"""`as_of`: an answer from what was true then, cited at the commits of then."""

from typing import Any

import pytest

from almanac.index.history import HeadHistory
from almanac.index.manifest import Head
from tests.integration.search.world import World, table

FIRST, SECOND, TOPIC = "a1" * 20, "b2" * 20, "c3" * 20


def completed(world: World, run: int, commit: str, at: str, **branches: str) -> None:
    """Write what the completion of a sync run writes."""
    head = Head(world.repository, run, commit, "main", {"main": commit, **branches})
    world.write(world.manifest.head(head), *HeadHistory(table(), world.tenant).record(head, at))


@pytest.fixture
def past(world: World) -> World:
    """Return a tenant whose file was changed on 20 January and whose message was edited then."""
    world.index(
        world.code("a.py", "elephants = 1"),
        world.message("one", "elephants", occurred_at="2026-01-05T00:00:00Z", written_at="2026-01-05T00:00:00Z"),
    )
    completed(world, 1, FIRST, "2026-01-10T00:00:00.000Z")
    world.index(
        world.code("a.py", "elephants = giraffes", version=2),
        world.code("b.py", "elephants = zebras", version=2, branches=("topic",)),
        world.message(
            "one", "zebras", version=2, occurred_at="2026-01-05T00:00:00Z", written_at="2026-01-20T00:00:00Z"
        ),
    )
    completed(world, 2, SECOND, "2026-01-20T00:00:00.000Z", topic=TOPIC)
    return world


def texts(answer: Any) -> set[str]:
    return {hit["excerpt"] for hit in answer["items"]}


def cited(answer: Any) -> dict[str, str]:
    return {hit["title"]: hit["citation"]["commit"] for hit in answer["items"] if hit["kind"] == "code"}


def test_a_moment_shows_what_was_indexed_by_then_and_cites_it_at_the_head_of_then(past: World) -> None:
    for as_of in ("2026-01-15", "2026-01-10T00:00:00Z"):
        answer = past.get(q="elephants", as_of=as_of).json
        assert texts(answer) == {"elephants = 1", "elephants"}
        assert cited(answer) == {"a.py": FIRST}
        assert answer["index"]["as_of"]["commits"] == {past.repository: FIRST}
    assert answer["index"]["as_of"]["moment"] == "2026-01-10T00:00:00Z"
    assert answer["index"]["repositories"][past.repository]["commit"] == SECOND
    assert past.get(q="elephants", as_of="2026-01-01").json["items"] == []
    assert past.get(q="elephants", as_of="2026-01-01").json["index"]["as_of"]["commits"] == {}


def test_the_present_and_a_moment_after_everything_show_the_same(past: World) -> None:
    now, later = past.get(q="elephants").json, past.get(q="elephants", as_of="2026-01-21").json
    assert texts(now) == {"elephants = giraffes", "elephants = zebras", "zebras"}
    assert now["items"] == later["items"]
    assert now["index"]["as_of"] is None
    assert later["index"]["as_of"]["commits"] == {past.repository: SECOND}


def test_a_commit_shows_its_repository_as_it_stood_there(past: World) -> None:
    for as_of in (FIRST, FIRST[:7], FIRST[:12].upper()):
        answer = past.get(q="elephants", as_of=as_of).json
        assert texts(answer) == {"elephants = 1", "elephants"}
        assert cited(answer) == {"a.py": FIRST}
        assert answer["index"]["as_of"]["moment"] == "2026-01-10T00:00:00Z"


def test_a_commit_of_another_branch_shows_that_branch(past: World) -> None:
    answer = past.get(q="elephants", as_of=TOPIC, kind="code").json
    assert cited(answer) == {"b.py": TOPIC}
    assert answer["index"]["as_of"]["commits"] == {past.repository: TOPIC}


def test_a_commit_that_the_index_never_stood_at_is_refused_with_those_it_did(past: World) -> None:
    asked = {"q": "elephants", "as_of": "d4" * 20}
    for answer, place in ((past.get(**asked), "query"), (past.post(asked), "body")):
        assert (answer.status, answer.json["code"]) == (422, "commit_not_indexed")
        assert answer.json["errors"][0]["field"] == f"{place}.as_of"
        assert SECOND in {head["commit"] for head in answer.json["known"]}


def test_what_somebody_deleted_is_gone_from_the_past(past: World) -> None:
    past.write(past.manifest.drop(past.checkpoint))
    assert texts(past.get(q="elephants", as_of="2026-01-15").json) == {"elephants = 1"}
    past.write(past.manifest.drop(past.repository))
    answer = past.get(q="elephants", as_of="2026-01-15").json
    assert (answer["items"], answer["index"]["as_of"]["commits"]) == ([], {})
    assert past.get(q="elephants", as_of=FIRST).status == 422


def test_pages_of_the_past_put_together_are_the_whole_list(past: World) -> None:
    whole = past.get(q="elephants", as_of="2026-01-15").json["items"]
    first = past.get(q="elephants", as_of="2026-01-15", limit=1).json
    second = past.get(q="elephants", as_of="2026-01-15", limit=1, cursor=first["next_cursor"]).json
    assert first["items"] + second["items"] == whole
    assert past.get(q="elephants", cursor=first["next_cursor"]).json["code"] == "invalid_cursor"


def test_another_tenants_commits_are_unknown(past: World, neighbour: World) -> None:
    assert past.get(q="elephants", as_of=FIRST).status == 200
    assert neighbour.get(q="elephants", as_of=FIRST).json["code"] == "commit_not_indexed"
