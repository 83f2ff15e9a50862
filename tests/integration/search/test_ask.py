"""Questions and conversations, through the real handler on the store."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from almanac.ids import new_id
from almanac.index.history import HeadHistory
from almanac.index.manifest import Head
from almanac.index.sources import SourceRef
from almanac.llm.base import ModelBusy
from almanac.llm.testing import ScriptedModel
from search.asking import wiring as asking
from search.asking.errors import ConversationNotFound
from search.asking.repository import LIFETIME_SECONDS, Conversations, Turn
from search.asking.retrieval import IndexSources
from tests.integration.harness import READ, WRITE, Answer
from tests.integration.search.world import World, run, table

LEASES = "A lease lasts thirty seconds. The worker renews its lease every ten seconds while it runs."
QUESTION = "How often does the worker renew its lease?"
RENEWED = "The worker renews its lease every ten seconds while it runs."
PARSER = '''class Parser:
    """Reads a request."""

    def parse_header(self, line):
        """Split a header line at its first colon."""
        name, _, value = line.partition(":")
        return name.strip(), value.strip()
'''


def call(world: World, method: str, path: str, body: Any = None, **more: Any) -> Answer:
    return world.stack.call("search", method, f"/api/v1/{path}", body, tenant=world.tenant, **more)


def ask(world: World, question: str = QUESTION, **more: Any) -> Any:
    answer = call(world, "POST", "ask", {"question": question, **more})
    assert answer.status == 200, answer.text
    return answer.json


def converse(world: World) -> str:
    created = call(world, "POST", "conversations", {"title": "Leases"})
    assert created.status == 201
    assert created.headers["location"] == f"/api/v1/conversations/{created.json['id']}"
    return str(created.json["id"])


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return the lines that a configured language model will say."""
    lines: list[Any] = []
    monkeypatch.setattr(asking, "language_model", lambda: ScriptedModel(*lines))
    yield lines


def test_an_answer_is_quotes_with_citations_as_in_search(world: World) -> None:
    world.index(world.message("one", LEASES), world.message("two", "Log groups keep lines for two weeks."))
    answer = ask(world)
    assert answer["answered"]
    assert answer["how"] == "extractive"
    assert answer["fallback"] is None
    assert answer["sentences"][0] == {"text": RENEWED, "citations": [1]}
    (cited, *_) = answer["citations"]
    assert cited["n"] == 1
    assert cited["source_id"] == "message:one"
    assert cited["citation"] == {"type": "message", "checkpoint_id": world.checkpoint, "message_id": "msg_one"}
    assert LEASES[cited["start"] : cited["end"]] == cited["quote"] == RENEWED
    assert answer["answer"].startswith(f"{RENEWED} [1]")
    assert answer["suggestions"] == []
    assert (answer["conversation_id"], answer["turn"]) == (None, None)
    assert answer["index"]["model"] == "test:hash"


def test_code_is_cited_by_the_lines_of_the_quote_at_the_commit_of_the_index(world: World) -> None:
    world.index(world.code("src/http.py", PARSER, version=3))
    world.write(world.manifest.head(Head(world.repository, 3, "head3", "main", {"main": "head3"})))
    answer = ask(world, "where is a header line split at the first colon?")
    (cited, *_) = answer["citations"]
    assert cited["quote"] == '"""Split a header line at its first colon."""'
    assert cited["citation"]["path"] == "src/http.py"
    assert (cited["citation"]["start_line"], cited["citation"]["end_line"]) == (5, 5)
    assert cited["citation"]["commit"] == "head3"
    assert answer["index"]["repositories"][world.repository]["commit"] == "head3"


def test_what_the_sources_do_not_say_is_admitted_with_what_comes_nearest(world: World) -> None:
    world.index(world.message("one", LEASES))
    answer = ask(world, "What is the capital of France?")
    assert answer["answered"] is False
    assert answer["answer"] == "Not in the sources."
    assert (answer["sentences"], answer["citations"]) == ([], [])
    assert [hit["source_id"] for hit in answer["suggestions"]] == ["message:one"]


def test_an_empty_tenant_is_told_the_same(world: World) -> None:
    answer = ask(world)
    assert (answer["answered"], answer["suggestions"]) == (False, [])


def test_nothing_of_another_tenant_answers(world: World, neighbour: World) -> None:
    neighbour.index(neighbour.message("theirs", LEASES))
    world.index(world.message("mine", "The budget was approved on Monday."))
    answer = ask(world)
    assert not answer["answered"]
    assert "theirs" not in str(answer)


def test_filters_narrow_what_is_asked(world: World) -> None:
    world.index(
        world.message("one", LEASES),
        world.code("docs/lease.md", "The worker renews its lease every nine seconds.", language="markdown"),
    )
    assert {cited["kind"] for cited in ask(world, kind=["code"])["citations"]} == {"code"}
    assert {cited["kind"] for cited in ask(world, kind=["message"])["citations"]} == {"message"}
    assert ask(world, path="docs/**")["citations"][0]["title"] == "docs/lease.md"
    assert not ask(world, project=[new_id("prj")])["answered"]
    assert ask(world, kind=["code"])["filters"] == {"kind": ["code"]}


def test_an_answer_as_of_the_past_is_what_was_true_then(world: World) -> None:
    old, new = "a1" * 20, "b2" * 20
    path, language = "docs/lease.md", "markdown"
    world.index(world.code(path, "The worker renews its lease every nine seconds.", language=language))
    head = Head(world.repository, 1, old, "main", {"main": old})
    world.write(world.manifest.head(head), *HeadHistory(table(), world.tenant).record(head, "2026-01-10T00:00:00.000Z"))
    world.index(world.code(path, "The worker renews its lease every ten seconds.", version=2, language=language))
    head = Head(world.repository, 2, new, "main", {"main": new})
    world.write(world.manifest.head(head), *HeadHistory(table(), world.tenant).record(head, "2026-01-20T00:00:00.000Z"))
    assert ask(world)["sentences"][0]["text"] == "The worker renews its lease every ten seconds."
    for as_of in (old[:8], "2026-01-15"):
        answer = ask(world, as_of=as_of)
        assert answer["sentences"][0]["text"] == "The worker renews its lease every nine seconds."
        assert answer["citations"][0]["citation"]["commit"] == old
        assert answer["filters"] == {"as_of": as_of}
    unknown = call(world, "POST", "ask", {"question": QUESTION, "as_of": "c3" * 20})
    assert (unknown.status, unknown.json["code"]) == (422, "commit_not_indexed")
    assert unknown.json["errors"][0]["field"] == "body.as_of"


def test_a_question_is_no_query(world: World) -> None:
    world.index(world.message("one", LEASES))
    for question in (f'{QUESTION} "', f"-lease {QUESTION}", f"kind:code {QUESTION}", f"since:now {QUESTION}"):
        assert ask(world, question)["answered"], question


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.question"),
        ({"question": "  "}, "body.question"),
        ({"question": "x" * 1001}, "body.question"),
        ({"question": "x", "limit": 0}, "body.limit"),
        ({"question": "x", "limit": 11}, "body.limit"),
        ({"question": "x", "kind": ["poem"]}, "body.kind.0"),
        ({"question": "x", "since": "soon"}, "body.since"),
        ({"question": "x", "since": "1d", "until": "2d"}, "body.since"),
        ({"question": "x", "as_of": "someday"}, "body.as_of"),
        ({"question": "x", "path": "[z-a]"}, "body.path"),
        ({"question": "x", "conversation_id": "cnv_1"}, "body.conversation_id"),
        ({"question": "x", "answer": "y"}, "body.answer"),
    ],
)
def test_bad_input_is_refused_and_names_its_field(world: World, body: dict[str, Any], field: str) -> None:
    answer = call(world, "POST", "ask", body)
    assert answer.status == 422, answer.text
    assert answer.json["errors"][0]["field"] == field


def delete_after_the_search(world: World, monkeypatch: pytest.MonkeyPatch, *changes: Any) -> None:
    """Let something happen between the search and the second reading of what it found."""
    find = IndexSources.find

    async def finding(self: IndexSources, question: str, limit: int) -> Any:
        found = await find(self, question, limit)
        await table().transact(changes)
        return found

    monkeypatch.setattr(IndexSources, "find", finding)


def test_what_was_deleted_while_the_answer_was_made_is_not_cited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.index(world.message("one", LEASES))
    erase = world.manifest.hide([SourceRef(source_id="message:one", version=1)])
    delete_after_the_search(world, monkeypatch, *erase)
    assert not ask(world)["answered"]


def test_what_was_dropped_while_the_answer_was_made_is_not_cited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.index(world.message("one", LEASES))
    delete_after_the_search(world, monkeypatch, world.manifest.drop(world.checkpoint))
    assert not ask(world)["answered"]


def test_what_was_edited_while_the_answer_was_made_is_not_cited_in_its_old_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.index(world.message("one", LEASES))
    find = IndexSources.find

    async def finding(self: IndexSources, question: str, limit: int) -> Any:
        return await find(self, question, limit)

    edited: list[bool] = []
    again = IndexSources.again

    async def reading(self: IndexSources, passages: Any) -> Any:
        found = await again(self, passages)
        edited.append(bool(found))
        return {} if not found else {key: value for key, value in found.items() if value.version == 2}

    monkeypatch.setattr(IndexSources, "find", finding)
    monkeypatch.setattr(IndexSources, "again", reading)
    assert not ask(world)["answered"]
    assert edited == [True]
    monkeypatch.undo()
    world.index(world.message("one", LEASES.replace("ten", "nine"), version=2))
    assert "nine" in ask(world)["answer"]


def test_a_language_models_sentences_are_cited_and_checked(world: World, model: list[Any]) -> None:
    world.index(world.message("one", LEASES))
    model.append(
        '{"sentences": [{"text": "It renews the lease every ten seconds.", "citations": [1], '
        '"quote": "renews its lease every ten seconds"}, '
        '{"text": "It is made of cheese.", "citations": [1], "quote": "made of cheese"}]}'
    )
    answer = ask(world)
    assert answer["how"] == "test:scripted"
    assert [sentence["text"] for sentence in answer["sentences"]] == ["It renews the lease every ten seconds."]
    assert answer["citations"][0]["quote"] == RENEWED


def test_a_language_model_that_is_down_is_no_error(world: World, model: list[Any]) -> None:
    world.index(world.message("one", LEASES))
    model.append(ModelBusy("down"))
    answer = ask(world)
    assert (answer["how"], answer["fallback"], answer["answered"]) == ("extractive", "model_unavailable", True)


def test_a_follow_up_takes_over_subject_and_filters(world: World) -> None:
    world.index(
        world.message("one", LEASES),
        world.code("tests/test_lease.py", "def test_lease():\n    # The worker renewing its lease is tested here.\n"),
    )
    conversation = converse(world)
    first = ask(world, conversation_id=conversation, kind=["code", "message"])
    assert (first["turn"], first["resolved_question"]) == (1, QUESTION)
    second = ask(world, "and where is it tested?", conversation_id=conversation)
    assert second["question"] == "and where is it tested?"
    assert second["resolved_question"] == "where is it tested? (worker renew lease)"
    assert second["filters"] == {"kind": ["code", "message"]}
    assert "tests/test_lease.py" in {cited["title"] for cited in second["citations"]}
    third = ask(world, "and where is it tested?", conversation_id=conversation, kind=["message"])
    assert third["filters"] == {"kind": ["message"]}


def test_a_conversation_keeps_its_turns_in_order(world: World) -> None:
    world.index(world.code("src/http.py", PARSER), world.message("one", LEASES))
    conversation = converse(world)
    asked = [QUESTION, "where is a header line split at the first colon?", "What is the capital of France?"]
    given = [ask(world, question, conversation_id=conversation) for question in asked]
    shown = call(world, "GET", f"conversations/{conversation}").json
    assert (shown["id"], shown["title"], shown["turns"], shown["next_cursor"]) == (conversation, "Leases", 3, None)
    assert [turn["number"] for turn in shown["items"]] == [1, 2, 3]
    assert [turn["question"] for turn in shown["items"]] == asked
    for turn, answer in zip(shown["items"], given, strict=True):
        for name in ("answer", "answered", "sentences", "citations", "how"):
            assert turn[name] == answer[name]
    pages: list[list[int]] = []
    cursor = None
    while cursor or not pages:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = call(world, "GET", f"conversations/{conversation}", query=query).json
        pages.append([turn["number"] for turn in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[1, 2], [3]]


def test_without_a_conversation_nothing_is_kept(world: World) -> None:
    ask(world)
    assert call(world, "GET", "conversations").json == {"items": [], "next_cursor": None}


def test_conversations_are_listed_newest_first_and_deleted_with_their_turns(world: World) -> None:
    world.index(world.message("one", LEASES))
    made = [converse(world) for _ in range(3)]
    ask(world, conversation_id=made[0])
    first = call(world, "GET", "conversations", query={"limit": 2}).json
    rest = call(world, "GET", "conversations", query={"limit": 2, "cursor": first["next_cursor"]}).json
    assert [item["id"] for item in [*first["items"], *rest["items"]]] == made[::-1]
    assert rest["next_cursor"] is None
    assert call(world, "DELETE", f"conversations/{made[0]}").status == 204
    assert call(world, "GET", f"conversations/{made[0]}").status == 404
    assert call(world, "DELETE", f"conversations/{made[0]}").status == 404
    assert len(call(world, "GET", "conversations").json["items"]) == 2
    assert run(Conversations(table(), world.tenant, "key_test").turns(made[0], 10, 0)) == ([], None)


def test_another_tenants_conversation_is_one_that_does_not_exist(world: World, neighbour: World) -> None:
    theirs, nothing = converse(neighbour), new_id("cnv")
    for identity in (theirs, nothing):
        answers = [
            call(world, "GET", f"conversations/{identity}"),
            call(world, "DELETE", f"conversations/{identity}"),
            call(world, "POST", "ask", {"question": "x", "conversation_id": identity}),
        ]
        assert [(answer.status, answer.json["code"]) for answer in answers] == [(404, "conversation_not_found")] * 3
        assert answers[2].json["errors"][0]["field"] == "body.conversation_id"
    assert call(neighbour, "GET", f"conversations/{theirs}").json["turns"] == 0
    assert call(world, "GET", "conversations/nonsense").status == 404


def test_reading_keys_ask_but_change_no_conversation(world: World) -> None:
    world.index(world.message("one", LEASES))
    conversation = converse(world)
    assert call(world, "POST", "ask", {"question": QUESTION}, scope=READ).status == 200
    assert call(world, "GET", f"conversations/{conversation}", scope=READ).status == 200
    for answer in (
        call(world, "POST", "ask", {"question": QUESTION, "conversation_id": conversation}, scope=READ),
        call(world, "POST", "conversations", {"title": "x"}, scope=READ),
        call(world, "DELETE", f"conversations/{conversation}", scope=READ),
    ):
        assert (answer.status, answer.json["code"]) == (403, "insufficient_permission")
    assert call(world, "DELETE", f"conversations/{conversation}", scope=WRITE).status == 204


def test_a_forged_or_foreign_cursor_is_refused(world: World) -> None:
    conversation = converse(world)
    made = [converse(world) for _ in range(2)]
    cursor = call(world, "GET", "conversations", query={"limit": 1}).json["next_cursor"]
    assert made
    for path, given in (("conversations", "x"), (f"conversations/{conversation}", cursor)):
        assert call(world, "GET", path, query={"cursor": given}).json["code"] == "invalid_cursor"


def turn(question: str) -> Turn:
    return Turn(0, question, question, {"answer": "", "citations": []}, {}, "2026-01-31T12:00:00.000Z")


def test_the_last_turns_come_in_the_order_in_which_they_were_said(world: World) -> None:
    conversation, store = converse(world), Conversations(table(), world.tenant, "key_test")
    for number in range(11):
        run(store.append(conversation, turn(f"q{number}")))
    assert [entry.question for entry in run(store.recent(conversation, 3))] == ["q8", "q9", "q10"]


def test_a_turn_of_a_conversation_deleted_meanwhile_is_not_kept(world: World) -> None:
    conversation, store = converse(world), Conversations(table(), world.tenant, "key_test")
    run(store.delete(conversation))
    with pytest.raises(ConversationNotFound):
        run(store.append(conversation, turn("too late")))
    assert run(store.turns(conversation, 10, 0)) == ([], None)


def test_a_conversation_ends_with_its_time_whenever_the_table_removes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = converse(world)
    late = time.time() + LIFETIME_SECONDS + 1
    monkeypatch.setattr("search.asking.repository.time.time", lambda: late)
    assert call(world, "GET", f"conversations/{conversation}").status == 404
    assert call(world, "GET", "conversations").json["items"] == []
