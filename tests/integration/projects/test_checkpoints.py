"""Checkpoints over HTTP."""

from almanac.ids import new_id
from tests.integration.projects.workspace import Workspace


def test_a_new_checkpoint_is_shown_as_it_was_made(work: Workspace) -> None:
    project = work.project()
    body = {"project_id": project, "name": "Review", "description": "Said", "metadata": {"sprint": "12"}}
    answer = work.call("POST", "/checkpoints", body)
    assert answer.status == 201
    assert answer.headers["location"] == f"/api/v1/checkpoints/{answer.json['id']}"
    assert body.items() <= answer.json.items()
    assert work.call("GET", f"/checkpoints/{answer.json['id']}").json == answer.json


def test_checkpoints_are_listed_by_project_page_by_page(work: Workspace) -> None:
    project, neighbour = work.project(), work.project()
    made = [work.checkpoint(project) for _ in range(3)]
    work.checkpoint(neighbour)
    assert list(work.pages("/checkpoints", 2, project_id=project)) == [made[:2], made[2:]]


def test_a_cursor_of_another_project_is_refused(work: Workspace) -> None:
    project, neighbour = work.project(), work.project()
    for _ in range(2):
        work.checkpoint(project)
    cursor = work.call("GET", "/checkpoints", query={"project_id": project, "limit": 1}).json["next_cursor"]
    answer = work.call("GET", "/checkpoints", query={"project_id": neighbour, "cursor": cursor})
    assert (answer.status, answer.json["code"]) == (400, "invalid_cursor")


def test_a_checkpoint_needs_a_project_that_exists(work: Workspace, other: Workspace) -> None:
    for project in (new_id("prj"), other.project()):
        answer = work.call("POST", "/checkpoints", {"project_id": project, "name": "x"})
        assert (answer.status, answer.json["code"]) == (404, "project_not_found")
        assert answer.json["errors"][0]["field"] == "body.project_id"
        assert work.call("GET", "/checkpoints", query={"project_id": project}).status == 404
    assert work.items() == []


def test_metadata_is_replaced_as_a_whole(work: Workspace) -> None:
    body = {"project_id": work.project(), "name": "Review", "metadata": {"a": "1", "b": "2"}}
    checkpoint = work.made("/checkpoints", body)["id"]
    changed = work.call("PATCH", f"/checkpoints/{checkpoint}", {"version": 1, "metadata": {"c": "3"}}).json
    assert (changed["metadata"], changed["name"], changed["version"]) == ({"c": "3"}, "Review", 2)
    answer = work.call("PATCH", f"/checkpoints/{checkpoint}", {"version": 1, "metadata": {}})
    assert (answer.status, answer.json["current_version"]) == (409, 2)


def test_a_repeat_with_the_same_key_creates_once(work: Workspace) -> None:
    body, headers = {"project_id": work.project(), "name": "Review"}, {"Idempotency-Key": "k"}
    first, second = (work.call("POST", "/checkpoints", body, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert len(work.call("GET", "/checkpoints", query={"project_id": body["project_id"]}).json["items"]) == 1
