"""Bad input gets a problem that names the field, and nothing is written."""

from typing import Any

import pytest

from almanac.ids import new_id
from tests.integration.projects.workspace import URL, Workspace

CHK, PRJ = new_id("chk"), new_id("prj")
CASES: list[tuple[str, str, Any, str]] = [
    ("POST", "/projects", {}, "body.name"),
    ("POST", "/projects", {"name": ""}, "body.name"),
    ("POST", "/projects", {"name": " \t "}, "body.name"),
    ("POST", "/projects", {"name": "x" * 201}, "body.name"),
    ("POST", "/projects", {"name": "a\x00b"}, "body.name"),
    ("POST", "/projects", {"name": "a\nb"}, "body.name"),
    ("POST", "/projects", {"name": "a\u0085b"}, "body.name"),
    ("POST", "/projects", {"name": "\ud800"}, "body.name"),
    ("POST", "/projects", {"name": 7}, "body.name"),
    ("POST", "/projects", {"name": None}, "body.name"),
    ("POST", "/projects", {"name": "x", "description": "y" * 2001}, "body.description"),
    ("POST", "/projects", {"name": "x", "description": "\x00"}, "body.description"),
    ("POST", "/projects", {"name": "x", "tenant_id": "ten_1"}, "body.tenant_id"),
    ("POST", "/projects", [], "body"),
    ("POST", "/projects", b"{", "body"),
    ("POST", "/projects", b'{"name": "\xff"}', "body"),
    ("POST", "/projects", b"", "body"),
    ("PATCH", "/projects/{project}", {"name": "x"}, "body.version"),
    ("PATCH", "/projects/{project}", {"version": 0, "name": "x"}, "body.version"),
    ("PATCH", "/projects/{project}", {"version": 10**30, "name": "x"}, "body.version"),
    ("PATCH", "/projects/{project}", {"version": 1, "name": None}, "body.name"),
    ("GET", "/projects?limit=0", None, "query.limit"),
    ("GET", "/projects?limit=101", None, "query.limit"),
    ("GET", "/projects?limit=x", None, "query.limit"),
    ("POST", "/checkpoints", {"name": "x"}, "body.project_id"),
    ("POST", "/checkpoints", {"project_id": "x", "name": "x"}, "body.project_id"),
    ("POST", "/checkpoints", {"project_id": f"{PRJ}\n", "name": "x"}, "body.project_id"),
    ("POST", "/checkpoints", {"project_id": PRJ, "name": "x", "metadata": {"a": 1}}, "body.metadata.a"),
    ("POST", "/checkpoints", {"project_id": PRJ, "name": "x", "metadata": {"a": "b" * 501}}, "body.metadata.a"),
    ("POST", "/checkpoints", {"project_id": PRJ, "name": "x", "metadata": []}, "body.metadata"),
    (
        "POST",
        "/checkpoints",
        {"project_id": PRJ, "name": "x", "metadata": {str(n): "" for n in range(33)}},
        "body.metadata",
    ),
    ("GET", "/checkpoints", None, "query.project_id"),
    ("GET", "/checkpoints?project_id=x", None, "query.project_id"),
    ("POST", "/messages", {"checkpoint_id": CHK}, "body.content"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": ""}, "body.content"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": "\ud800"}, "body.content"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": "x" * 1_048_577}, "body.content"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": "é" * 524_289}, "body.content"),
    ("POST", "/messages", {"checkpoint_id": "chk_", "content": "x"}, "body.checkpoint_id"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": "x", "author": ""}, "body.author"),
    ("POST", "/messages", {"checkpoint_id": CHK, "content": "x", "occurred_at": "noon"}, "body.occurred_at"),
    (
        "POST",
        "/messages",
        {"checkpoint_id": CHK, "content": "x", "occurred_at": "2026-01-31T12:00:00"},
        "body.occurred_at",
    ),
    (
        "POST",
        "/messages",
        {"checkpoint_id": CHK, "content": "x", "occurred_at": "0001-01-01T00:00:00+14:00"},
        "body.occurred_at",
    ),
    ("GET", "/messages", None, "query.checkpoint_id"),
    ("GET", "/messages?checkpoint_id=%00", None, "query.checkpoint_id"),
    ("POST", "/projects/{project}/repositories", {}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": ""}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": "https://h/" + "x" * 2048}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": "git@github.com:a/b"}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": "https://me:secret@github.com/a/b"}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": "file:///etc/passwd"}, "body.url"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "branch": ""}, "body.branch"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "branch": "a b"}, "body.branch"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "branch": "a..b"}, "body.branch"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "branch": "feature/*"}, "body.branch"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "branch_pattern": ""}, "body.branch_pattern"),
    (
        "POST",
        "/projects/{project}/repositories",
        {"url": URL, "branch": "main", "branch_pattern": "r/*"},
        "body.branch_pattern",
    ),
    ("POST", "/projects/{project}/repositories", {"url": URL, "access_token": ""}, "body.access_token"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "access_token": "a\nb"}, "body.access_token"),
    ("POST", "/projects/{project}/repositories", {"url": URL, "access_token": "x" * 2001}, "body.access_token"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"), CASES, ids=[f"{n}-{case[3]}" for n, case in enumerate(CASES)]
)
def test_bad_input_names_the_field_and_writes_nothing(
    work: Workspace, method: str, path: str, body: Any, field: str
) -> None:
    project = work.project()
    before, sent = work.items(), work.events()
    path, _, query = path.format(project=project).partition("?")
    asked = dict(part.split("=") for part in query.split("&")) if query else {}
    answer = work.call(method, path, body, query=asked)
    assert answer.status == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in {error["field"] for error in answer.json["errors"]}
    assert (work.items(), work.events(), work.objects()) == (before, sent, [])


def test_a_refused_token_is_not_in_the_answer(work: Workspace) -> None:
    body = {"url": "https://me:hunter2secret@github.com/a/b", "access_token": "tok en"}
    answer = work.call("POST", f"/projects/{work.project()}/repositories", body)
    assert answer.status == 422
    assert "hunter2secret" not in answer.text
    assert "tok en" not in answer.text


def test_the_limit_of_a_message_is_named(work: Workspace) -> None:
    body = {"checkpoint_id": work.checkpoint(), "content": "x" * 1_048_577}
    answer = work.call("POST", "/messages", body)
    assert "1048576" in answer.json["errors"][0]["message"]


@pytest.mark.parametrize("content", ["a\x00b", "\u202e\U0001d54f ñ 漢字 🏳️‍🌈", " ", "\n", "\x7f", "\r\nx", "e\u0301"])
def test_any_other_text_is_kept_as_it_is(work: Workspace, content: str) -> None:
    message = work.message(work.checkpoint(), content)
    assert work.call("GET", f"/messages/{message}").json["content"] == content
    work.settle()
    assert work.call("GET", f"/messages/{message}").json["indexed"]["state"] == "indexed"


@pytest.mark.parametrize("name", ["漢字", "🏳️‍🌈", "x" * 200, "O'Brien <b>"])
def test_any_printable_name_is_kept_as_it_is(work: Workspace, name: str) -> None:
    assert work.call("GET", f"/projects/{work.project(name)}").json["name"] == name
