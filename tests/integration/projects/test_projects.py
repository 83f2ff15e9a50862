"""Projects over HTTP."""

from almanac.ids import new_id
from tests.integration.harness import READ, WRITE
from tests.integration.projects.workspace import Workspace


def test_a_new_project_is_shown_as_it_was_made(work: Workspace) -> None:
    answer = work.call("POST", "/projects", {"name": "  Payments  ", "description": "Taking\nmoney"})
    assert answer.status == 201
    project = answer.json
    assert (project["name"], project["description"], project["version"]) == ("Payments", "Taking\nmoney", 1)
    assert answer.headers["location"] == f"/api/v1/projects/{project['id']}"
    assert work.call("GET", f"/projects/{project['id']}").json == project


def test_projects_are_listed_oldest_first_page_by_page(work: Workspace, other: Workspace) -> None:
    made = [work.project(f"Project {number}") for number in range(5)]
    other.project()
    assert list(work.pages("/projects", 2)) == [made[:2], made[2:4], made[4:]]
    assert list(work.pages("/projects", 5)) == [made]


def test_an_empty_list_has_no_next_page(work: Workspace) -> None:
    assert work.call("GET", "/projects").json == {"items": [], "next_cursor": None}


def test_a_cursor_of_another_list_is_refused(work: Workspace) -> None:
    project = work.project()
    work.project()
    cursor = work.call("GET", "/projects", query={"limit": 1}).json["next_cursor"]
    for path, query in (
        (f"/projects/{project}/repositories", {}),
        ("/checkpoints", {"project_id": project}),
        ("/messages", {"checkpoint_id": work.checkpoint(project)}),
    ):
        answer = work.call("GET", path, query={**query, "cursor": cursor})
        assert (answer.status, answer.json["code"]) == (400, "invalid_cursor")


def test_an_update_changes_what_it_names_and_counts_the_version(work: Workspace) -> None:
    project = work.made("/projects", {"name": "Payments", "description": "Old"})
    answer = work.call("PATCH", f"/projects/{project['id']}", {"version": 1, "name": "Billing"})
    assert answer.status == 200
    changed = answer.json
    assert (changed["name"], changed["description"], changed["version"]) == ("Billing", "Old", 2)
    cleared = work.call("PATCH", f"/projects/{project['id']}", {"version": 2, "description": ""}).json
    assert (cleared["description"], cleared["version"]) == ("", 3)
    assert work.call("GET", f"/projects/{project['id']}").json == cleared


def test_an_update_of_an_old_version_changes_nothing_and_tells_the_current_one(work: Workspace) -> None:
    project = work.project()
    work.call("PATCH", f"/projects/{project}", {"version": 1, "name": "Billing"})
    answer = work.call("PATCH", f"/projects/{project}", {"version": 1, "name": "Lost"})
    assert (answer.status, answer.json["code"], answer.json["current_version"]) == (409, "version_conflict", 2)
    assert work.call("GET", f"/projects/{project}").json["name"] == "Billing"


def test_ids_that_no_project_has_are_not_found(work: Workspace) -> None:
    for bad in (new_id("prj"), "prj_", "x", "prj_1", "PRJ_01K9ZQ3V7M8X2C4B6N0D1F5G7H", new_id("rep"), "%00", "a%23b"):
        for method, body in (("GET", None), ("PATCH", {"version": 1, "name": "x"}), ("DELETE", None)):
            answer = work.call(method, f"/projects/{bad}", body)
            assert (answer.status, answer.json["code"]) == (404, "project_not_found"), (method, bad, answer.text)


def test_a_key_that_may_only_read_changes_nothing(work: Workspace) -> None:
    project = work.project()
    for method, path, body in (
        ("POST", "/projects", {"name": "x"}),
        ("PATCH", f"/projects/{project}", {"version": 1, "name": "x"}),
        ("DELETE", f"/projects/{project}", None),
    ):
        answer = work.call(method, path, body, scope=READ)
        assert (answer.status, answer.json["code"]) == (403, "insufficient_permission")
    assert work.call("GET", f"/projects/{project}", scope=READ).status == 200
    assert work.call("PATCH", f"/projects/{project}", {"version": 1, "name": "x"}, scope=WRITE).status == 200


def test_a_repeat_with_the_same_key_creates_once_and_answers_the_same(work: Workspace) -> None:
    headers = {"Idempotency-Key": "first"}
    answers = [work.call("POST", "/projects", {"name": "Payments"}, headers=headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [201] * 3
    assert answers[0].json == answers[1].json == answers[2].json
    assert len(work.call("GET", "/projects").json["items"]) == 1


def test_a_key_that_was_used_for_another_body_is_refused(work: Workspace) -> None:
    headers = {"Idempotency-Key": "first"}
    work.call("POST", "/projects", {"name": "Payments"}, headers=headers)
    answer = work.call("POST", "/projects", {"name": "Billing"}, headers=headers)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(work.call("GET", "/projects").json["items"]) == 1
