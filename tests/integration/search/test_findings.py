"""Secrets in content: masked wherever search shows something, and on record."""

import json
from random import Random
from typing import Any

import pytest

from almanac.aws import keys, outbox
from almanac.aws.table import Put, plain
from almanac.embeddings.testing import HashEmbedder
from almanac.events import IndexSources
from almanac.findings.model import Finding, State
from almanac.ids import new_id
from almanac.index.sources import Citation, Kind, Place, SourceRef
from search import wiring
from tests.integration.search.world import World, run, table

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def token(seed: int = 7) -> str:
    return "ghp_" + "".join(Random(seed).choices(LETTERS, k=36))


def findings(world: World) -> list[Finding]:
    page = run(wiring.findings(world.tenant).page(100, None))
    return [Finding.from_item(item) for item in page.items]


def again(world: World, event: IndexSources) -> None:
    run(table().write(outbox.message(event)))
    world.work()


def items(world: World) -> list[dict[str, Any]]:
    """Return every item of the tenant."""
    found = world.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    return [plain(item) for item in found if world.tenant in item["pk"]["S"]]


def test_a_secret_in_code_is_neither_searchable_nor_shown_nor_embedded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = wiring.embedder()
    assert isinstance(embedder, HashEmbedder)
    texts: list[str] = []
    monkeypatch.setattr(embedder, "embedded", texts)
    secret = token()
    world.index(world.code("deploy.py", f'def deploy():\n    login("{secret}")\n    elephants()\n'))
    (hit,) = world.search("elephants")
    assert "ghp_" + "*" * 36 in hit["excerpt"] and hit["citation"]["start_line"] == 1
    assert secret not in json.dumps(world.search(secret))
    assert texts and not any(secret in text for text in texts)


def test_a_finding_says_where_and_of_which_kind_and_never_what(world: World) -> None:
    secret = token()
    world.index(world.code("deploy.py", f'def deploy():\n    login("{secret}")\n'))
    (found,) = findings(world)
    assert (found.kind, found.state, found.line) == ("github_token", State.OPEN, 2)
    assert (found.origin.path, found.origin.container_id) == ("deploy.py", world.repository)
    assert secret not in json.dumps([repr(item) for item in items(world)])


def test_a_commits_message_and_title_show_no_secret(world: World) -> None:
    world.index(world.commit("a" * 40, f"Let elephants in with {token()}\n\nIt is {token()}."))
    (hit,) = world.search("elephants")
    assert hit["title"] == f"Let elephants in with ghp_{'*' * 36}"
    assert token() not in json.dumps(hit)
    (found,) = findings(world)
    assert (found.origin.kind, found.origin.commit, found.line) == ("commit", "a" * 40, 1)


def test_an_answer_quotes_what_search_shows(world: World) -> None:
    world.index(world.message("one", f"Elephants get in with {token()} at the northern gate."))
    body = {"question": "How do elephants get in at the gate?"}
    answer = world.stack.call("search", "POST", "/api/v1/ask", body, tenant=world.tenant)
    assert answer.status == 200 and token() not in answer.text
    assert "*" * 36 in answer.text


def test_a_conversation_keeps_a_question_without_its_secret(world: World) -> None:
    world.index(world.message("one", "Elephants get in at the northern gate."))
    call, title = world.stack.call, f"about {token()}"
    begun = call("search", "POST", "/api/v1/conversations", {"title": title}, tenant=world.tenant).json
    body = {"question": f"Do elephants get in with {token()}?", "conversation_id": begun["id"]}
    assert call("search", "POST", "/api/v1/ask", body, tenant=world.tenant).status == 200
    kept = call("search", "GET", f"/api/v1/conversations/{begun['id']}", tenant=world.tenant).text
    assert "*" * 36 in kept and token() not in kept
    assert not [item for item in items(world) if token() in repr(item)]


def test_a_secret_found_again_is_one_finding(world: World) -> None:
    secret = token()
    event = world.index(world.code("deploy.py", f"# {secret}\n"))
    before = findings(world)
    again(world, event)
    assert findings(world) == before
    edited = world.code(
        "deploy.py", f"\n\n# {secret} {secret}\n", version=2, source_id=f"code:{world.repository}:other"
    )
    world.index(edited, deleted=[SourceRef(source_id=f"code:{world.repository}:deploy.py", version=2)])
    (found,) = findings(world)
    assert (found.id, found.line, found.state) == (before[0].id, 3, State.OPEN)
    assert list(found.lines) == [edited.source_id]


def test_equal_secrets_have_equal_fingerprints_in_one_tenant_only(world: World, neighbour: World) -> None:
    for each in (world, neighbour):
        each.index(each.code("one.py", f"# {token()}\n"), each.code("two.py", f"# {token()}\n"))
    mine, theirs = ({found.fingerprint for found in findings(each)} for each in (world, neighbour))
    assert len(mine) == len(theirs) == 1 and mine != theirs


def test_a_finding_is_gone_when_no_branch_has_it_any_more_and_is_there_again_when_one_has(world: World) -> None:
    name = f"code:{world.repository}:deploy.py"
    other = f"code:{world.repository}:on-a-branch"
    world.index(
        world.code("deploy.py", f"# {token()}\n"),
        world.code("deploy.py", f"# {token()} too\n", source_id=other, branches=("next",)),
    )
    world.index(deleted=[SourceRef(source_id=name, version=2)])
    assert [found.state for found in findings(world)] == [State.OPEN]
    world.index(deleted=[SourceRef(source_id=other, version=3)])
    assert [found.state for found in findings(world)] == [State.GONE]
    world.index(world.code("deploy.py", f"# {token()}\n", version=4))
    assert [found.state for found in findings(world)] == [State.OPEN]


def test_an_older_version_that_comes_late_changes_nothing(world: World) -> None:
    world.index(world.message("one", f"use {token()}", version=1))
    world.index(world.message("one", "use nothing", version=3))
    world.index(world.message("one", f"use {token()}", version=2))
    assert [found.state for found in findings(world)] == [State.GONE]


def test_what_was_dismissed_stays_dismissed_and_masked(world: World) -> None:
    world.index(world.message("one", f"elephants use {token()}"))
    (found,) = findings(world)
    judged = found.judged(State.DISMISSED, "usr_1", "a sample", "2026-01-31T12:00:00.000Z")
    assert run(wiring.findings(world.tenant).replace(found, judged))
    world.index(world.message("one", f"elephants use {token()} often", version=2))
    assert [each.state for each in findings(world)] == [State.DISMISSED]
    assert token() not in json.dumps(world.search("elephants"))


def test_a_tenant_without_secrets_gets_no_items_for_them(world: World) -> None:
    world.index(world.message("one", "elephants"))
    assert not [item for item in items(world) if item["pk"] == keys.findings(world.tenant)]


def test_a_worker_that_dies_after_noting_notes_the_same_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from almanac.index import ingest

    async def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "index_batch", dies)
        event = world.send(world.message("one", f"elephants use {token()}"))
        again(world, event)
    assert len(findings(world)) == 1
    before = findings(world)
    again(world, event)
    assert findings(world) == before
    assert len(world.search("elephants")) == 1


def test_a_finding_in_a_document_names_its_page_and_a_purge_says_what_a_file_keeps(world: World) -> None:
    document = new_id("doc")
    citation = Citation(document_id=document, document_version=1, place=Place(unit="page", number=12, label="page 12"))
    page = world.message("m", f"The key is {token()}.\n").model_copy(
        update={
            "source_id": f"document:{document}:000012",
            "kind": Kind.DOCUMENT,
            "container_id": world.project,
            "group_id": document,
            "citation": citation,
        }
    )
    item = {**keys.document(world.tenant, document).as_dict(), "state": "ready"}
    world.write(Put(item))
    world.index(page)
    (found,) = world.stack.call("search", "GET", "/api/v1/secret-findings", tenant=world.tenant).json["items"]
    assert (found["source"]["document_id"], found["source"]["place"], found["state"]) == (document, "page 12", "open")
    path = f"/api/v1/secret-findings/{found['id']}/purge"
    assert world.stack.call("search", "POST", path, tenant=world.tenant).status == 202
    world.stack.drain()
    purge = world.stack.call("search", "GET", path, tenant=world.tenant).json
    assert purge["state"] == "done" and any("download" in remaining for remaining in purge["remaining"])
