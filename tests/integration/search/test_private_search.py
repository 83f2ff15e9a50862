"""What search, ask and conversations tell of private projects to whom they are hidden: nothing."""

import asyncio
import json
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest

from almanac.access import GRANTABLE, Permission, Role
from almanac.aws import keys
from almanac.aws.table import Put
from almanac.index.manifest import Head
from search import wiring
from search.quality import report
from search.quality.report import Difference, Report
from tests.integration.harness import Stack
from tests.integration.projects.people import Colleague, colleague, machine
from tests.integration.projects.workspace import URL, Workspace
from tests.integration.search.world import run, table
from tests.support import roles

SECRET = "The merger with Globex closes in March."
OPEN = "The canteen closes at noon on Fridays."


@pytest.fixture
def work(stack: Stack) -> Workspace:
    return Workspace(stack, stack.tenant())


@pytest.fixture
def ada(work: Workspace) -> Colleague:
    return colleague(work.stack, work.tenant)


@pytest.fixture
def bob(work: Workspace) -> Colleague:
    return colleague(work.stack, work.tenant)


@pytest.fixture
def secret(work: Workspace, ada: Colleague) -> str:
    """Return a private project with a message, beside one that everybody sees."""
    project = ada.private_project()
    ada.message(ada.checkpoint(project), SECRET)
    ada.message(ada.checkpoint(ada.made("/projects", {"name": "Open"})), OPEN)
    work.settle()
    return project


def asked(caller: Colleague, q: str = "closes merger canteen", **more: Any) -> dict[str, Any]:
    answer = caller.call("POST", "/search", {"q": q, **more}, slice_name="search")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def excerpts(found: dict[str, Any]) -> set[str]:
    return {hit["excerpt"] for hit in found["items"]}


def answered(caller: Colleague, question: str, **more: Any) -> dict[str, Any]:
    answer = caller.call("POST", "/ask", {"question": question, **more}, slice_name="search")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def test_search_finds_what_its_caller_sees(work: Workspace, ada: Colleague, bob: Colleague, secret: str) -> None:
    assert excerpts(asked(ada)) == {SECRET, OPEN}
    assert excerpts(asked(bob)) == {OPEN}
    assert excerpts(asked(colleague(work.stack, work.tenant, Role.ADMIN))) == {SECRET, OPEN}
    assert "Globex" not in json.dumps(asked(bob, "Globex"))
    ada.lets_in(secret, bob)
    assert excerpts(asked(bob)) == {SECRET, OPEN}
    ada.takes_out(secret, bob)
    assert excerpts(asked(bob)) == {OPEN}


def test_scores_and_counts_are_those_of_a_tenant_without_the_project(stack: Stack, bob: Colleague, secret: str) -> None:
    other = Workspace(stack, stack.tenant("Never"))
    never = colleague(stack, other.tenant)
    never.message(never.checkpoint(never.made("/projects", {"name": "Open"})), OPEN)
    other.settle()
    mine, theirs = asked(bob, explain=True), asked(never, explain=True)
    for field in ("score", "scores", "explanation", "highlights", "more_from_source"):
        assert [hit[field] for hit in mine["items"]] == [hit[field] for hit in theirs["items"]]
    assert mine["index"] == theirs["index"]


def test_a_filter_for_a_hidden_project_finds_nothing(bob: Colleague, secret: str) -> None:
    hidden, absent = asked(bob, project=[secret]), asked(bob, project=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    assert hidden == absent
    assert hidden["items"] == []
    assert asked(bob, f"merger project:{secret}")["items"] == []


def test_what_is_not_embedded_yet_is_hidden_and_not_counted(work: Workspace, ada: Colleague, bob: Colleague) -> None:
    message = ada.message(ada.checkpoint(ada.private_project()), SECRET)
    assert asked(ada)["index"]["pending"]["message_ids"] == [message]
    assert excerpts(asked(ada)) == {SECRET}
    found = asked(bob)
    assert found["items"] == []
    assert found["index"]["pending"] == {
        "messages": 0,
        "message_ids": [],
        "documents": 0,
        "document_ids": [],
        "batches": {},
        "since": None,
    }
    assert found["index"]["chunks"] == 0


def test_what_is_written_into_a_new_private_project_during_a_search_is_not_found(
    monkeypatch: pytest.MonkeyPatch, ada: Colleague, bob: Colleague
) -> None:
    from almanac.index.manifest import Manifest

    read, begun = Manifest.read, list[bool]()

    async def late(manifest: Manifest) -> Any:
        # The search has begun, and has not read the manifest yet.
        if not begun:
            begun.append(True)
            # In another function, whose role may do it.
            elsewhere = copy_context()
            elsewhere.run(roles._running.set, None)
            await asyncio.create_task(write(), context=elsewhere)
        return await read(manifest)

    async def write() -> None:
        projects, checkpoints, messages = _services(ada)
        project = await projects.create("Late", "", "private", None, "request")
        checkpoint = await checkpoints.create(project.id, "Review", "", {}, None, "request")
        await messages.create(checkpoint.id, SECRET, None, {}, None, None, "request")

    monkeypatch.setattr(Manifest, "read", late)
    assert asked(bob)["items"] == []
    assert begun
    assert excerpts(asked(ada)) == {SECRET}


def _services(caller: Colleague) -> Any:
    from projects import wiring as projects

    principal = caller.caller.principal
    assert principal is not None
    return projects.projects(principal), projects.checkpoints(principal), projects.messages(principal)


@pytest.fixture
def repository(work: Workspace, ada: Colleague, secret: str) -> Iterator[str]:
    """Return a repository of the private project that stands at a commit."""
    made = ada.call("POST", f"/projects/{secret}/repositories", {"url": URL}).json["id"]
    from almanac.index.history import HeadHistory
    from almanac.index.manifest import Manifest

    head = Head(made, 1, "a" * 40, "main", {"main": "a" * 40})
    at = "2026-01-01T00:00:00.000Z"
    history = HeadHistory(table(), work.tenant)
    run(table().transact([Manifest(table(), work.tenant).head(head), *history.record(head, at)]))
    yield made


def test_where_a_hidden_repository_stands_is_not_told(ada: Colleague, bob: Colleague, repository: str) -> None:
    assert list(asked(ada)["index"]["repositories"]) == [repository]
    assert asked(bob)["index"]["repositories"] == {}
    status = bob.call("GET", "/search/index", slice_name="search").json
    assert (status["repositories"], status["chunks"], status["superseded"]) == ({}, 1, None)
    assert ada.call("GET", "/search/index", slice_name="search").json["chunks"] == 2


def test_the_past_of_a_hidden_repository_is_not_told(ada: Colleague, bob: Colleague, repository: str) -> None:
    past = "2026-02-01T00:00:00Z"
    assert asked(ada, as_of=past)["index"]["as_of"]["commits"] == {repository: "a" * 40}
    assert asked(bob, as_of=past)["index"]["as_of"]["commits"] == {}
    for commit in ("a" * 40, "b" * 40):
        answer = bob.call("POST", "/search", {"q": "x", "as_of": commit}, slice_name="search")
        assert (answer.status, answer.json["code"], answer.json["known"]) == (422, "commit_not_indexed", [])


def test_the_past_of_messages_is_hidden_as_well(ada: Colleague, bob: Colleague, secret: str) -> None:
    later = "2099-01-01T00:00:00Z"
    assert excerpts(asked(ada, as_of=later)) == {SECRET, OPEN}
    assert excerpts(asked(bob, as_of=later)) == {OPEN}


def test_an_answer_never_quotes_what_is_hidden(ada: Colleague, bob: Colleague, secret: str) -> None:
    question = "When does the merger with Globex close?"
    assert "Globex" in answered(ada, question)["answer"]
    told = json.dumps(answered(bob, question), ensure_ascii=False).replace(question, "")
    assert "Globex" not in told
    assert secret not in told


def test_a_passage_that_became_hidden_while_an_answer_was_made_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, ada: Colleague, bob: Colleague, secret: str
) -> None:
    from search.asking.retrieval import IndexSources

    ada.lets_in(secret, bob)
    again = IndexSources.again

    async def after_removal(sources: IndexSources, passages: Any) -> Any:
        from projects import wiring as projects

        assert ada.caller.principal is not None
        await projects.members(ada.caller.principal).remove(secret, bob.id)
        return await again(sources, passages)

    monkeypatch.setattr(IndexSources, "again", after_removal)
    assert answered(bob, "When does the merger with Globex close?")["sentences"] == []


def begun(caller: Colleague, title: str = "Plans") -> str:
    return caller.made("/conversations", {"title": title}, slice_name="search")


def test_a_conversation_is_its_beginners_own(work: Workspace, ada: Colleague, bob: Colleague) -> None:
    conversation = begun(ada)
    others = [bob, colleague(work.stack, work.tenant, Role.OWNER), machine(work.stack, work.tenant, "svc_1", GRANTABLE)]
    for other in others:
        for method in ("GET", "DELETE"):
            answer = other.call(method, f"/conversations/{conversation}", slice_name="search")
            assert (answer.status, answer.json["code"]) == (404, "conversation_not_found")
        body = {"question": "What?", "conversation_id": conversation}
        assert other.call("POST", "/ask", body, slice_name="search").status == 404
        assert other.call("GET", "/conversations", slice_name="search").json["items"] == []
    assert [c["id"] for c in ada.call("GET", "/conversations", slice_name="search").json["items"]] == [conversation]


def test_conversations_of_others_do_not_shorten_a_page(ada: Colleague, bob: Colleague) -> None:
    mine = []
    for _ in range(3):
        begun(ada)
        mine.append(begun(bob))
    page = bob.call("GET", "/conversations", slice_name="search", query={"limit": 2}).json
    assert [c["id"] for c in page["items"]] == mine[:0:-1]
    rest = bob.call("GET", "/conversations", slice_name="search", query={"limit": 2, "cursor": page["next_cursor"]})
    assert [c["id"] for c in rest.json["items"]] == mine[:1]


def test_answers_from_a_project_go_with_the_sight_of_it(ada: Colleague, bob: Colleague, secret: str) -> None:
    ada.lets_in(secret, bob)
    conversation = begun(bob)
    body = {"conversation_id": conversation}
    answered(bob, "When does the merger with Globex close?", **body)
    answered(bob, "And when does the canteen close on Fridays?", **body)
    turns = bob.call("GET", f"/conversations/{conversation}", slice_name="search").json["items"]
    assert "Globex" in turns[0]["answer"]
    ada.takes_out(secret, bob)
    later = bob.call("GET", f"/conversations/{conversation}", slice_name="search").json["items"]
    assert (later[0]["answer"], later[0]["citations"]) == ("This answer is not shown any more.", [])
    assert "March" not in json.dumps(later)
    third = answered(bob, "And what about that?", **body)
    assert "March" not in json.dumps(third)
    assert "Globex" not in json.dumps({**third, "question": ""})


def test_verification_quotes_nothing_of_a_hidden_project(work: Workspace, bob: Colleague, secret: str) -> None:
    differences = [
        Difference("message:msg_1", "message", "author_differs", "Ada", "Eve", secret),
        Difference("message:msg_2", "message", "author_differs", "Ada", "Eve", "prj_seen"),
        Difference("tenants/t/part", "part", "missing"),
    ]
    kept = Report("2026-01-31T12:00:00.000Z", "test-hash", 5, {"messages": 2}, differences)
    run(table().write(kept.put(work.tenant)))
    shown = bob.call("GET", "/search/quality", slice_name="search").json["verification"]["differences"]
    assert [each["source_id"] for each in shown] == ["message:msg_2"]
    everything = work.stack.call("search", "GET", "/api/v1/search/quality", tenant=work.tenant).json
    assert len(everything["verification"]["differences"]) == 3


def test_a_verification_tells_a_key_without_all_projects_nothing_of_theirs(
    work: Workspace, ada: Colleague, secret: str
) -> None:
    found = next(item for item in work.items() if item["entity"] == "message" and item["project_id"] == secret)
    run(table().write(Put({**found, "author": "Eve"}, overwrite=True)))
    few = machine(work.stack, work.tenant, "svc_1", GRANTABLE - {Permission.PROJECTS_ALL})
    assert few.call("POST", "/search/verify", {"sample": 50}, slice_name="search").json["differences"] == []
    kept = run(report.last(table(), work.tenant))
    assert [(each.source_id, each.project_id) for each in kept.differences] == [(f"message:{found['id']}", secret)]


def test_a_tenant_without_private_projects_reads_no_more_of_the_index_for_it(
    monkeypatch: pytest.MonkeyPatch, ada: Colleague, bob: Colleague, work: Workspace
) -> None:
    from almanac.index.visibility import View

    ada.message(ada.checkpoint(ada.made("/projects", {"name": "Open"})), OPEN)
    work.settle()
    asked(bob)
    monkeypatch.setattr(View, "without", lambda *_: pytest.fail("narrowed"))
    assert excerpts(asked(bob)) == {OPEN}


def test_a_narrowed_view_is_made_once_for_all_who_see_the_same(
    monkeypatch: pytest.MonkeyPatch, work: Workspace, bob: Colleague, secret: str
) -> None:
    from almanac.index.visibility import View

    without, made = View.without, list[frozenset[str]]()

    def counted(view: View, projects: frozenset[str]) -> View:
        made.append(projects)
        return without(view, projects)

    monkeypatch.setattr(View, "without", counted)
    for caller in (bob, colleague(work.stack, work.tenant), bob):
        assert excerpts(asked(caller)) == {OPEN}
    assert made == [frozenset({secret})]


def test_the_rows_are_not_read_for_who_sees_all(monkeypatch: pytest.MonkeyPatch, work: Workspace, secret: str) -> None:
    from almanac.aws.table import Table

    query_all = Table.query_all

    def watched(store: Table, partition: str, **more: Any) -> Any:
        assert partition != keys.private_projects(work.tenant)
        return query_all(store, partition, **more)

    monkeypatch.setattr(Table, "query_all", watched)
    assert excerpts(asked(colleague(work.stack, work.tenant, Role.OWNER))) == {SECRET, OPEN}
    assert wiring.reader().tenants
