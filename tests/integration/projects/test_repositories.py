"""Repositories over HTTP: connecting, secrets, syncs."""

import time
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.table import dynamo, plain
from almanac.ids import new_id
from projects import wiring
from projects.model import Hook, RepositoryRecord
from tests.integration.projects.workspace import URL, Workspace


def record(work: Workspace, repository: str) -> RepositoryRecord:
    (item,) = [i for i in work.items() if i["entity"] == "repository" and i["id"] == repository]
    return RepositoryRecord.from_item(item)


def hook(work: Workspace, repository: str) -> Hook:
    key = dynamo(keys.hook(work.tenant, repository).as_dict())
    return Hook.from_item(plain(work.stack.client("dynamodb").get_item(TableName="almanac", Key=key)["Item"]))


def decrypted(work: Workspace, cipher: bytes, repository: str) -> str:
    secrets = wiring.dependencies().secrets
    return runtime.run(secrets.decrypt(cipher, tenant_id=work.tenant, resource_id=repository))


def change(work: Workspace, repository: str, **values: Any) -> None:
    """Change a repository's item as the sync worker would."""
    names = {f"#{name}": name for name in values}
    work.stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(keys.repository(work.tenant, repository).as_dict()),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues=dynamo({f":{name}": value for name, value in values.items()}),
    )


def test_a_connected_repository_is_pending_and_its_sync_is_queued(work: Workspace) -> None:
    project = work.project()
    answer = work.call("POST", f"/projects/{project}/repositories", {"url": f"{URL}.git/", "branch": "refs/heads/main"})
    assert answer.status == 201
    shown = answer.json
    assert (shown["state"], shown["name"], shown["provider"]) == ("pending", "encode/starlette", "github")
    assert (shown["branch"], shown["branch_pattern"], shown["has_access_token"]) == ("main", None, False)
    assert shown["sync_requested"] is True
    assert answer.headers["location"] == f"/api/v1/projects/{project}/repositories/{shown['id']}"
    (event,) = work.outbox()
    assert (event["kind"], event["repository_id"], event["reason"]) == ("repository.sync", shown["id"], "connected")
    got = work.call("GET", f"/projects/{project}/repositories/{shown['id']}").json
    assert got == {name: value for name, value in shown.items() if name != "webhook"}


def test_the_webhook_secret_is_shown_once_and_kept_encrypted(work: Workspace) -> None:
    project = work.project()
    created = work.repository(project)
    webhook, repository = created["webhook"], created["id"]
    base = "http://127.0.0.1:8080/api/v1/webhooks"
    assert webhook["github_url"] == f"{base}/github/{work.tenant}/{repository}"
    assert webhook["gitlab_url"] == f"{base}/gitlab/{work.tenant}/{repository}"
    assert webhook["secret"].startswith("whs_")
    assert webhook["secret"] not in repr(work.items())
    path = f"/projects/{project}/repositories"
    assert webhook["secret"] not in work.call("GET", f"{path}/{repository}").text + work.call("GET", path).text
    (cipher,) = hook(work, repository).secrets_cipher
    assert decrypted(work, cipher, repository) == webhook["secret"]


def test_an_access_token_is_kept_encrypted_and_never_returned(work: Workspace) -> None:
    token = "ghp_0123456789abcdef"
    project = work.project()
    answer = work.call("POST", f"/projects/{project}/repositories", {"url": URL, "access_token": token})
    assert answer.json["has_access_token"] is True
    path = f"/projects/{project}/repositories/{answer.json['id']}"
    assert token not in answer.text + work.call("GET", path).text + repr(work.items())
    cipher = record(work, answer.json["id"]).token_cipher
    assert cipher is not None
    assert decrypted(work, cipher, answer.json["id"]) == token


def test_a_repeat_with_the_same_key_connects_once_and_does_not_repeat_the_secret(work: Workspace) -> None:
    path, headers = f"/projects/{work.project()}/repositories", {"Idempotency-Key": "k"}
    body = {"url": URL, "access_token": "ghp_0123456789abcdef"}
    first, second = (work.call("POST", path, body, headers=headers) for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    shown, repeated = first.json, second.json
    secret = shown["webhook"].pop("secret")
    assert repeated["webhook"].pop("secret") is None
    assert shown == repeated
    assert work.entities().count("repository") == 1
    assert secret not in repr(work.items())


def test_the_same_remote_with_the_same_branches_is_connected_once(work: Workspace) -> None:
    project = work.project()
    path = f"/projects/{project}/repositories"
    repository = work.repository(project)["id"]
    for url in (URL, f"{URL}.git", f"{URL}/", URL.replace("github.com", "GitHub.com:443")):
        answer = work.call("POST", path, {"url": url})
        assert (answer.status, answer.json["code"]) == (409, "repository_already_connected")
        assert answer.json["repository_id"] == repository
    work.repository(project, branch="main")
    work.repository(project, branch_pattern="main")
    work.repository(work.project())
    assert len(work.call("GET", path).json["items"]) == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/a/b",
        "https://localhost/a/b",
        "https://127.0.0.1/a/b",
        "https://10.0.0.1/a/b",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a/b",
        "https://[::ffff:169.254.169.254]/a/b",
        "https://2130706433/a/b",
        "https://0x7f.1/a/b",
        "https://user@github.com/a/b",
        "ssh://git@github.com/a/b",
        "git://github.com/a/b",
    ],
)
def test_only_public_https_addresses_are_connected(work: Workspace, public_hosts_only: None, url: str) -> None:
    project = work.project()
    answer = work.call("POST", f"/projects/{project}/repositories", {"url": url})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.url")
    repository = work.repository(project)
    path = f"/projects/{project}/repositories/{repository['id']}"
    answer = work.call("PATCH", path, {"version": 1, "url": url})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.url")
    assert work.call("GET", path).json["url"] == URL


def test_a_repository_shows_what_its_syncs_came_to(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    path = f"/projects/{project}/repositories/{repository}"
    error = {"code": "access_denied", "message": "The token expired.", "at": "2026-01-31T12:00:00.000Z"}
    counts = {"files": 3, "commits": 2, "chunks": 9, "skipped": {"binary": 1}}
    change(work, repository, state="failed", last_error=error, counts=counts, head="a" * 40, heads={"main": "a" * 40})
    change(work, repository, served=1, last_synced_at="2026-01-30T12:00:00.000Z", submodules=["vendor/x"])
    shown = work.call("GET", path).json
    assert (shown["state"], shown["last_error"], shown["counts"]) == ("failed", error, counts)
    assert (shown["head"], shown["last_synced_at"]) == ("a" * 40, "2026-01-30T12:00:00.000Z")
    assert (shown["sync_requested"], shown["submodules"], shown["progress"]) == (False, ["vendor/x"], None)


def test_a_sync_that_goes_on_shows_its_progress(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    change(work, repository, state="indexing", run=1)
    run = {
        **keys.sync_run(work.tenant, repository, 1).as_dict(),
        "entity": "sync_run",
        "run": 1,
        "heads": {},
        "batches": 4,
        "pending": 1,
        "emitted": True,
        "started_at": "2026-01-31T12:00:00.000Z",
    }
    work.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(run))
    shown = work.call("GET", f"/projects/{project}/repositories/{repository}").json
    assert shown["progress"] == {"batches": 4, "pending": 1, "started_at": "2026-01-31T12:00:00.000Z"}


def test_a_sync_can_be_asked_for(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    change(work, repository, served=1)
    answer = work.call("POST", f"/projects/{project}/repositories/{repository}/sync")
    assert (answer.status, answer.json) == (202, {"status": "queued"})
    assert [event["reason"] for event in work.outbox()] == ["connected", "requested"]
    assert work.call("GET", f"/projects/{project}/repositories/{repository}").json["sync_requested"] is True


def test_an_update_changes_the_selection_and_syncs(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project, branch="main")["id"]
    path = f"/projects/{project}/repositories/{repository}"
    pattern = work.call("PATCH", path, {"version": 1, "branch_pattern": "release/*"}).json
    assert (pattern["branch"], pattern["branch_pattern"], pattern["version"]) == (None, "release/*", 2)
    default = work.call("PATCH", path, {"version": 2, "branch_pattern": None}).json
    assert (default["branch"], default["branch_pattern"]) == (None, None)
    assert work.call("GET", path).json == default
    assert work.events().count("repository.sync") == 3
    stale = work.call("PATCH", path, {"version": 1, "branch": "main"})
    assert (stale.status, stale.json["current_version"]) == (409, 3)


def test_an_update_leaves_what_the_sync_worker_wrote_alone(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    change(work, repository, heads={"main": "a" * 40}, lease_owner="w", lease_until=7, run=3)
    work.call("PATCH", f"/projects/{project}/repositories/{repository}", {"version": 1, "branch": "main"})
    after = record(work, repository)
    assert (after.heads, after.lease_owner, after.lease_until, after.run) == ({"main": "a" * 40}, "w", 7, 3)


def test_an_address_that_was_changed_can_be_connected_again(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    path = f"/projects/{project}/repositories"
    moved = work.call("PATCH", f"{path}/{repository}", {"version": 1, "url": "https://gitlab.com/a/b"}).json
    assert (moved["url"], moved["name"], moved["provider"]) == ("https://gitlab.com/a/b", "a/b", "gitlab")
    another = work.repository(project)["id"]
    answer = work.call("PATCH", f"{path}/{another}", {"version": 1, "url": "https://gitlab.com/a/b.git"})
    assert (answer.status, answer.json["repository_id"]) == (409, repository)
    assert work.call("GET", f"{path}/{another}").json["url"] == URL


def test_another_host_does_not_get_the_token(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project, access_token="secret-one")["id"]
    path = f"/projects/{project}/repositories/{repository}"
    same = work.call("PATCH", path, {"version": 1, "url": "https://github.com/encode/httpx"}).json
    assert same["has_access_token"] is True
    assert work.call("PATCH", path, {"version": 2, "url": "https://evil.example/x"}).json["has_access_token"] is False
    given = work.call("PATCH", path, {"version": 3, "url": URL, "access_token": "secret-two"}).json
    assert given["has_access_token"] is True
    cipher = record(work, repository).token_cipher
    assert cipher is not None
    assert decrypted(work, cipher, repository) == "secret-two"
    assert work.call("PATCH", path, {"version": 4, "access_token": None}).json["has_access_token"] is False


def test_a_rotated_secret_leaves_the_one_before_valid_for_a_day(work: Workspace) -> None:
    project = work.project()
    created = work.repository(project)
    repository, first = created["id"], created["webhook"]["secret"]
    path = f"/projects/{project}/repositories/{repository}/webhook-secret"
    second = work.call("POST", path).json
    assert second["secret"] != first
    kept = hook(work, repository)
    assert [decrypted(work, cipher, repository) for cipher in kept.secrets_cipher] == [second["secret"], first]
    assert kept.rotated_until is not None
    assert 86_000 < kept.rotated_until - time.time() <= 86_400
    third = work.call("POST", path).json["secret"]
    kept = hook(work, repository)
    assert [decrypted(work, cipher, repository) for cipher in kept.secrets_cipher] == [third, second["secret"]]


def test_a_repository_is_found_under_its_own_project_only(work: Workspace) -> None:
    project, neighbour = work.project(), work.project()
    repository = work.repository(project)["id"]
    for owner, name in ((neighbour, repository), (project, new_id("rep")), (project, "x"), (project, project)):
        path = f"/projects/{owner}/repositories/{name}"
        for method, more, body in (
            ("GET", "", None),
            ("PATCH", "", {"version": 1, "branch": "x"}),
            ("DELETE", "", None),
            ("POST", "/sync", None),
            ("POST", "/webhook-secret", None),
        ):
            answer = work.call(method, path + more, body)
            assert (answer.status, answer.json["code"]) == (404, "repository_not_found")


def test_repositories_are_listed_page_by_page(work: Workspace) -> None:
    project = work.project()
    made = [work.repository(project, f"https://github.com/a/{number}")["id"] for number in range(3)]
    assert list(work.pages(f"/projects/{project}/repositories", 2)) == [made[:2], made[2:]]
