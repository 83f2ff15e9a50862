"""Deletes: gone for readers and search at once, removed for good by the worker, whatever happens to it."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table, dynamo
from almanac.events import DeleteCheckpoint, DeleteProject, DeleteRepository
from projects import wiring
from projects.errors import CheckpointNotFound, ProjectNotFound
from projects.services.checkpoints import CheckpointService
from projects.services.messages import MessageService
from projects.services.projects import ProjectService
from projects.stores.base import Store
from tests.integration.projects.workspace import URL, Workspace


class Killed(BaseException):
    """The process ends here: nothing catches this."""


def left(work: Workspace) -> list[str]:
    """Return the kinds of items that are left but for the index's."""
    return [entity for entity in work.entities() if not entity.startswith(("index_", "vector"))]


def put_objects(work: Workspace, repository: str, count: int) -> None:
    for number in range(count):
        key = keys.pack_prefix(work.tenant, repository) + f"{number:04d}"
        work.stack.client("s3").put_object(Bucket="almanac", Key=key, Body=b"pack")


def put_runs(work: Workspace, repository: str, count: int) -> None:
    for number in range(count):
        item = {**keys.sync_run(work.tenant, repository, number + 1).as_dict(), "entity": "sync_run"}
        work.stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def full_project(work: Workspace) -> dict[str, str]:
    """Make a project with two checkpoints, three messages and a repository."""
    project = work.project()
    first, second = work.checkpoint(project), work.checkpoint(project)
    message = work.message(first, "elephants one")
    work.message(first, "elephants two")
    work.message(second, "elephants three")
    repository = work.repository(project)["id"]
    put_objects(work, repository, 3)
    put_runs(work, repository, 3)
    return {"project": project, "checkpoint": first, "message": message, "repository": repository}


def reads(ids: dict[str, str]) -> list[tuple[str, str, dict[str, str]]]:
    project, repository = ids["project"], ids["repository"]
    return [
        ("GET", f"/projects/{project}", {}),
        ("GET", f"/projects/{project}/repositories", {}),
        ("GET", f"/projects/{project}/repositories/{repository}", {}),
        ("POST", f"/projects/{project}/repositories/{repository}/sync", {}),
        ("POST", f"/projects/{project}/repositories/{repository}/webhook-secret", {}),
        ("DELETE", f"/projects/{project}/repositories/{repository}", {}),
        ("GET", "/checkpoints", {"project_id": project}),
        ("GET", f"/checkpoints/{ids['checkpoint']}", {}),
        ("DELETE", f"/checkpoints/{ids['checkpoint']}", {}),
        ("GET", "/messages", {"checkpoint_id": ids["checkpoint"]}),
        ("GET", f"/messages/{ids['message']}", {}),
        ("DELETE", f"/messages/{ids['message']}", {}),
        ("DELETE", f"/projects/{project}", {}),
    ]


def writes(ids: dict[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    project, repository = ids["project"], ids["repository"]
    return [
        ("POST", f"/projects/{project}/repositories", {"url": "https://github.com/a/new"}),
        ("PATCH", f"/projects/{project}/repositories/{repository}", {"version": 1, "branch": "x"}),
        ("PATCH", f"/projects/{project}", {"version": 1, "name": "x"}),
        ("POST", "/checkpoints", {"project_id": project, "name": "x"}),
        ("PATCH", f"/checkpoints/{ids['checkpoint']}", {"version": 1, "name": "x"}),
        ("POST", "/messages", {"checkpoint_id": ids["checkpoint"], "content": "x"}),
        ("PATCH", f"/messages/{ids['message']}", {"version": 1, "content": "x"}),
    ]


def test_a_deleted_project_is_gone_with_everything_in_it_at_once(work: Workspace) -> None:
    ids = full_project(work)
    work.settle()
    assert len(work.found("elephants")) == 3
    assert work.call("DELETE", f"/projects/{ids['project']}").status == 204
    assert work.found("elephants") == []
    assert work.call("GET", "/projects").json["items"] == []
    before = work.items()
    for method, path, query in reads(ids):
        assert work.call(method, path, query=query).status == 404, (method, path)
    for method, path, body in writes(ids):
        assert work.call(method, path, body).status == 404, (method, path)
    assert work.items() == before


def test_a_deleted_project_leaves_nothing_behind(work: Workspace) -> None:
    kept = full_project(work)
    ids = full_project(work)
    work.settle()
    work.call("DELETE", f"/projects/{ids['project']}")
    work.settle()
    once = left(work), len(work.objects())
    work.call("DELETE", f"/projects/{kept['project']}")
    work.settle()
    assert once[0].count("project") == 1
    assert (left(work), work.objects()) == ([], [])
    assert once[0].count("message") == 3
    assert work.stack.dead_letters("Projects") == work.stack.dead_letters("Embedding") == []


def test_a_project_deleted_before_its_messages_were_indexed_leaves_nothing_behind(work: Workspace) -> None:
    ids = full_project(work)
    work.call("DELETE", f"/projects/{ids['project']}")
    for _ in range(4):
        work.stack.relay()
        work.stack.deliver("Projects")
    work.settle()
    assert (left(work), work.objects()) == ([], [])
    assert work.stack.dead_letters("Embedding") == []
    assert work.found("elephants") == []


def test_a_deleted_checkpoint_takes_its_messages_along_and_no_others(work: Workspace) -> None:
    project = work.project()
    checkpoint, kept = work.checkpoint(project), work.checkpoint(project)
    work.message(checkpoint, "elephants one")
    stays = work.message(kept, "elephants two")
    work.settle()
    assert work.call("DELETE", f"/checkpoints/{checkpoint}").status == 204
    assert work.found("elephants") == [stays]
    assert work.call("GET", f"/checkpoints/{checkpoint}").status == 404
    items = work.call("GET", "/checkpoints", query={"project_id": project}).json["items"]
    assert [item["id"] for item in items] == [kept]
    work.settle()
    assert left(work) == ["checkpoint", "message", "message_hash", "project", "project_checkpoint"]
    assert len(work.objects()) == 1


def test_a_deleted_repository_is_gone_with_its_hook_and_can_be_connected_again(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    put_objects(work, repository, 3)
    put_runs(work, repository, 3)
    path = f"/projects/{project}/repositories"
    assert work.call("DELETE", f"{path}/{repository}").status == 204
    assert "hook" not in left(work)
    assert work.call("GET", f"{path}/{repository}").status == 404
    assert work.call("GET", path).json["items"] == []
    assert {"entity": "index_drop", "owner_id": repository}.items() <= next(
        item for item in work.items() if item["entity"] == "index_drop"
    ).items()
    again = work.repository(project)["id"]
    work.settle()
    assert left(work) == ["hook", "project", "project_remote", "repository"]
    assert work.objects() == []
    assert work.call("GET", f"{path}/{again}").status == 200


def test_a_repository_that_is_being_synced_is_looked_at_again_after_its_lease(work: Workspace) -> None:
    project = work.project()
    repository = work.repository(project)["id"]
    until = int(time.time()) + 60
    client, key = work.stack.client("dynamodb"), dynamo(keys.repository(work.tenant, repository).as_dict())
    lease = {":owner": {"S": "worker"}, ":until": {"N": str(until)}}
    client.update_item(
        TableName="almanac",
        Key=key,
        UpdateExpression="SET lease_owner = :owner, lease_until = :until",
        ExpressionAttributeValues=lease,
    )
    work.call("DELETE", f"/projects/{project}/repositories/{repository}")
    work.settle()
    (item,) = [item for item in work.items() if item["entity"] == "repository"]
    assert item["gsi2pk"] == keys.due_repositories()
    put_objects(work, repository, 1)
    client.update_item(TableName="almanac", Key=key, UpdateExpression="REMOVE lease_owner")
    work.work(DeleteRepository(tenant_id=work.tenant, correlation_id="c", repository_id=repository))
    assert (left(work), work.objects()) == (["project"], [])


def test_a_delete_near_its_deadline_goes_on_in_another_message(work: Workspace) -> None:
    ids = full_project(work)
    work.settle()
    common: dict[str, str] = {"tenant_id": work.tenant, "correlation_id": "c"}
    work.call("DELETE", f"/projects/{ids['project']}")
    for kind, event in (
        ("project.delete", DeleteProject(**common, project_id=ids["project"])),
        ("checkpoint.delete", DeleteCheckpoint(**common, checkpoint_id=ids["checkpoint"])),
        ("repository.delete", DeleteRepository(**common, repository_id=ids["repository"])),
    ):
        waiting = work.events().count(kind)
        assert work.work(event, milliseconds=5_000) == {"batchItemFailures": []}
        assert work.events().count(kind) == waiting + 1
    assert {"project", "checkpoint", "repository", "message"} <= set(left(work))
    work.settle()
    assert (left(work), work.objects()) == ([], [])


def test_deletes_can_be_repeated(work: Workspace) -> None:
    ids = full_project(work)
    work.settle()
    common: dict[str, str] = {"tenant_id": work.tenant, "correlation_id": "c"}
    events = [
        DeleteProject(**common, project_id=ids["project"]),
        DeleteCheckpoint(**common, checkpoint_id=ids["checkpoint"]),
        DeleteRepository(**common, repository_id=ids["repository"]),
    ]
    work.call("DELETE", f"/projects/{ids['project']}")
    work.settle()
    for event in events:
        assert work.work(event) == {"batchItemFailures": []}
    assert (left(work), work.objects(), work.events()) == ([], [], [])


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [(Blobs, "delete"), (Table, "batch_delete"), (Table, "write"), (Table, "transact")])
def test_a_worker_killed_at_any_step_leaves_nothing_behind(
    work: Workspace, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str], after: bool
) -> None:
    ids = full_project(work)
    work.settle()
    work.call("DELETE", f"/projects/{ids['project']}")
    owner, name = step
    original = getattr(owner, name)
    common: dict[str, str] = {"tenant_id": work.tenant, "correlation_id": "c"}
    events = [
        DeleteProject(**common, project_id=ids["project"]),
        DeleteCheckpoint(**common, checkpoint_id=ids["checkpoint"]),
        DeleteRepository(**common, repository_id=ids["repository"]),
    ]

    async def killed(*arguments: Any, **named: Any) -> Any:
        if after:
            await original(*arguments, **named)
        raise Killed

    for event in events:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, killed)
            with suppress(Killed):
                work.work(event)
        work.work(event)
    work.settle()
    assert (left(work), work.objects()) == ([], [])


def test_what_is_created_while_its_project_is_deleted_does_not_survive(work: Workspace) -> None:
    for _ in range(4):
        project, dependencies = work.project(), wiring.dependencies()
        projects = ProjectService(dependencies, work.principal)
        checkpoints = CheckpointService(dependencies, work.principal)

        async def race(
            project: str = project,
            projects: ProjectService = projects,
            checkpoints: CheckpointService = checkpoints,
        ) -> list[Any]:
            made = (checkpoints.create(project, "x", "", {}, None, "request") for _ in range(3))
            return await asyncio.gather(*made, projects.delete(project), return_exceptions=True)

        *made, deleted = runtime.run(race())
        assert deleted is None
        assert all(not isinstance(one, Exception) or isinstance(one, ProjectNotFound) for one in made)
    work.settle()
    assert left(work) == []


def test_a_message_whose_checkpoint_is_deleted_while_it_is_created_does_not_survive(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = work.checkpoint()
    service = MessageService(wiring.dependencies(), work.principal)
    commit = Store._commit

    async def late(store: Store, parts: Any) -> None:
        if "message" in parts:
            await CheckpointService(wiring.dependencies(), work.principal).delete(checkpoint)
        await commit(store, parts)

    monkeypatch.setattr(Store, "_commit", late)
    with pytest.raises(CheckpointNotFound):
        runtime.run(service.create(checkpoint, "elephants", None, {}, None, None, "request"))
    work.settle()
    assert (left(work), work.objects()) == (["project"], [])


def test_a_repository_connected_while_its_project_is_deleted_does_not_survive(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = work.project()
    commit = Store._commit

    async def late(store: Store, parts: Any) -> None:
        if "hook" in parts and "guard" in parts and "project" in parts:
            await ProjectService(wiring.dependencies(), work.principal).delete(project)
        await commit(store, parts)

    monkeypatch.setattr(Store, "_commit", late)
    answer = work.call("POST", f"/projects/{project}/repositories", {"url": URL})
    assert (answer.status, answer.json["code"]) == (404, "project_not_found")
    work.settle()
    assert left(work) == []
