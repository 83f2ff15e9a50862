"""What is acknowledged is found by the very next search, before anything has embedded it; the answer says so."""

from typing import Any

import pytest

from tests.integration.harness import Stack
from tests.integration.projects.workspace import Workspace


@pytest.fixture
def work(stack: Stack) -> Workspace:
    return Workspace(stack, stack.tenant())


def search(work: Workspace, q: str, **asked: Any) -> Any:
    answer = work.stack.call("search", "POST", "/api/v1/search", {"q": q, **asked}, tenant=work.tenant)
    assert answer.status == 200, answer.text
    return answer.json


def titles(answer: Any) -> list[str]:
    return [hit["citation"]["message_id"] for hit in answer["items"]]


def test_a_message_is_found_by_the_very_next_search_and_pending_until_it_is_embedded(work: Workspace) -> None:
    message = work.message(work.checkpoint(), "elephants never forget")
    answer = search(work, "elephants", explain=True)
    assert titles(answer) == [message]
    (told,) = (hit["explanation"] for hit in answer["items"])
    assert (told["embedded"], told["cosine"]) == (False, None)
    pending = answer["index"]["pending"]
    assert (pending["messages"], pending["message_ids"], pending["batches"]) == (1, [message], {})
    assert pending["since"] is not None

    work.settle()
    answer = search(work, "elephants", explain=True)
    assert titles(answer) == [message]
    assert answer["items"][0]["explanation"]["embedded"] is True
    assert answer["index"]["pending"] == {
        "messages": 0,
        "message_ids": [],
        "batches": {},
        "since": None,
        "documents": 0,
        "document_ids": [],
    }


def test_an_edit_is_found_and_what_it_replaced_is_not_before_anything_is_embedded(work: Workspace) -> None:
    message = work.message(work.checkpoint(), "elephants never forget")
    work.settle()
    assert work.call("PATCH", f"/messages/{message}", {"version": 1, "content": "giraffes sleep"}).status == 200
    assert titles(search(work, "giraffes")) == [message]
    assert all("elephants" not in str(hit) for hit in search(work, "elephants")["items"])
    work.settle()
    assert titles(search(work, "giraffes")) == [message]


def test_a_message_that_is_deleted_before_it_is_embedded_is_gone_at_once(work: Workspace) -> None:
    message = work.message(work.checkpoint(), "elephants never forget")
    assert titles(search(work, "elephants")) == [message]
    assert work.call("DELETE", f"/messages/{message}").status == 204
    for _ in range(2):
        answer = search(work, "elephants")
        assert (answer["items"], answer["index"]["pending"]["messages"]) == ([], 0)
        work.settle()


def test_the_query_language_holds_for_what_is_not_embedded(work: Workspace) -> None:
    checkpoint = work.checkpoint()
    kept = work.message(checkpoint, "elephants never forget", author="Ada")
    work.message(checkpoint, "elephants do forget", author="Bob")
    for q in ('"never forget"', "elephants -do", "elephants author:ada", "elephants -author:bob kind:message"):
        assert titles(search(work, q)) == [kept]
    assert titles(search(work, "elephants kind:code")) == []
