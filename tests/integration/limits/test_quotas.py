"""What happens when a quota is used up: who is refused, who is told what, and what still works."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.limits.quotas import Quota
from projects import sync_worker, wiring
from tests.integration.harness import Answer, Stack

PROJECTS = "/api/v1/projects"


@pytest.fixture(autouse=True)
def _quotas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (("PROJECTS", 2), ("REPOSITORIES", 1), ("CHUNKS", 10)):
        monkeypatch.setenv(f"ALMANAC_MAX_{name}", str(value))
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    wiring.dependencies.cache_clear()
    sync_worker.dependencies.cache_clear()


def create(stack: Stack, tenant: str, name: str = "one", **headers: str) -> Answer:
    return stack.call("projects", "POST", PROJECTS, {"name": name}, tenant=tenant, headers=headers)


def connect(stack: Stack, tenant: str, project: str, url: str) -> Answer:
    return stack.call("projects", "POST", f"{PROJECTS}/{project}/repositories", {"url": url}, tenant=tenant)


def open_checkpoint(stack: Stack, tenant: str, project: str) -> str:
    body = {"project_id": project, "name": "release"}
    return str(stack.call("projects", "POST", "/api/v1/checkpoints", body, tenant=tenant).json["id"])


def used(stack: Stack, tenant: str) -> dict[str, float]:
    answer = stack.call("identity", "GET", "/api/v1/tenants/me/usage", tenant=tenant)
    return {use["quota"]: use["used"] for use in answer.json["quotas"]}


def set_usage(stack: Stack, tenant: str, **attributes: Any) -> None:
    item = {**keys.usage(tenant).as_dict(), "entity": "usage", **attributes}
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def test_a_project_beyond_the_quota_is_refused_with_what_is_used_and_what_there_is(stack: Stack) -> None:
    tenant = stack.tenant()
    answers = [create(stack, tenant, str(n)) for n in range(3)]
    assert [answer.status for answer in answers] == [201, 201, 409]
    refused = answers[2].json
    assert (refused["code"], refused["quota"]) == ("quota_exceeded", "projects")
    assert (refused["limit"], refused["used"]) == (2, 2)
    assert used(stack, tenant)["projects"] == 2


def test_a_repeated_creation_is_counted_once_and_answered_even_without_room(stack: Stack) -> None:
    tenant = stack.tenant()
    headers = {"idempotency-key": "once-and-only-once"}
    first = create(stack, tenant, "one", **headers)
    create(stack, tenant, "two")
    again = create(stack, tenant, "one", **headers)
    assert (again.status, again.json["id"]) == (201, first.json["id"])
    assert used(stack, tenant)["projects"] == 2


def test_a_deleted_project_makes_room_at_once(stack: Stack) -> None:
    tenant = stack.tenant()
    first = create(stack, tenant).json["id"]
    create(stack, tenant, "two")
    assert stack.call("projects", "DELETE", f"{PROJECTS}/{first}", tenant=tenant).status == 204
    assert create(stack, tenant, "three").status == 201
    assert used(stack, tenant)["projects"] == 2


def test_an_operators_quota_for_one_tenant_binds_it_alone(stack: Stack) -> None:
    large, other = stack.tenant("Large"), stack.tenant("Other")
    set_usage(stack, large, max_projects=4)
    assert [create(stack, large, str(n)).status for n in range(5)] == [201] * 4 + [409]
    assert [create(stack, other, str(n)).status for n in range(3)] == [201, 201, 409]


def test_repositories_are_counted_and_released_with_their_project(stack: Stack) -> None:
    tenant = stack.tenant()
    project = create(stack, tenant).json["id"]
    assert connect(stack, tenant, project, "http://127.0.0.1:1/one.git").status == 201
    refused = connect(stack, tenant, project, "http://127.0.0.1:1/two.git")
    assert (refused.status, refused.json["quota"]) == (409, "repositories")
    again = connect(stack, tenant, project, "http://127.0.0.1:1/one.git")
    assert again.json["code"] == "repository_already_connected"
    stack.call("projects", "DELETE", f"{PROJECTS}/{project}", tenant=tenant)
    stack.drain()
    assert used(stack, tenant)["repositories"] == 0


def test_what_is_counted_at_once_never_exceeds_the_quota(stack: Stack) -> None:
    tenant = stack.tenant()
    write = wiring.dependencies().quotas.one_more(tenant, Quota.PROJECTS).request("almanac")["Update"]

    def counted(_: int) -> bool:
        """Count a project as the transaction that creates one does."""
        client = stack.client("dynamodb")
        try:
            client.update_item(**write)
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(counted, range(24))) == 2
    assert used(stack, tenant)["projects"] == 2


def test_a_full_tenant_takes_no_message_and_still_deletes(stack: Stack) -> None:
    tenant = stack.tenant()
    project = create(stack, tenant).json["id"]
    checkpoint = open_checkpoint(stack, tenant, project)
    set_usage(stack, tenant, projects=1, chunks=10)
    message = {"checkpoint_id": checkpoint, "content": "What happened."}
    refused = stack.call("projects", "POST", "/api/v1/messages", message, tenant=tenant)
    assert (refused.status, refused.json["code"], refused.json["quota"]) == (409, "quota_exceeded", "chunks")
    assert stack.call("projects", "DELETE", f"/api/v1/checkpoints/{checkpoint}", tenant=tenant).status == 204
    assert stack.call("projects", "DELETE", f"{PROJECTS}/{project}", tenant=tenant).status == 204


def test_what_is_indexed_is_counted_once_however_often_it_is_delivered(stack: Stack) -> None:
    tenant = stack.tenant()
    project = create(stack, tenant).json["id"]
    checkpoint = open_checkpoint(stack, tenant, project)
    message = {"checkpoint_id": checkpoint, "content": "The retry budget was raised to five."}
    stack.call("projects", "POST", "/api/v1/messages", message, tenant=tenant)
    sent = stack.outbox()
    stack.drain()
    once = used(stack, tenant)
    assert once["chunks"] == 1
    assert once["storage_bytes"] > 0
    for item in sent:
        stack.client("dynamodb").put_item(TableName="almanac", Item=item)
    stack.drain()
    assert used(stack, tenant) == once
    recounted = stack.call("identity", "POST", "/api/v1/tenants/me/usage/recount", tenant=tenant).json["quotas"]
    assert {use["quota"]: use["used"] for use in recounted} == once
