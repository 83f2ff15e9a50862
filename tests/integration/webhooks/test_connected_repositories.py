"""What the projects API answers on connecting is what a host can deliver with."""

from typing import Any

import pytest

from tests.integration.harness import Stack
from tests.integration.webhooks.hooks import Connected

URL = "https://github.com/acme/api.git"


@pytest.fixture
def tenant(stack: Stack) -> str:
    return stack.tenant()


@pytest.fixture
def repository(stack: Stack, tenant: str) -> dict[str, Any]:
    project = stack.call("projects", "POST", "/api/v1/projects", {"name": "api"}, tenant=tenant).json["id"]
    path = f"/api/v1/projects/{project}/repositories"
    connected: dict[str, Any] = stack.call("projects", "POST", path, {"url": URL}, tenant=tenant).json
    return {**connected, "path": f"{path}/{connected['id']}"}


@pytest.fixture
def host(stack: Stack, tenant: str, repository: dict[str, Any]) -> Connected:
    return Connected(stack, tenant, repository["webhook"]["secret"], repository["id"])


def test_the_shown_addresses_and_secret_are_those_that_work(host: Connected, repository: dict[str, Any]) -> None:
    before = len(host.queued())
    assert host.github().status == 202
    assert host.gitlab().status == 202
    assert [message["reason"] for message in host.queued()[before:]] == ["push", "push"]
    for name in ("github", "gitlab"):
        assert repository["webhook"][f"{name}_url"].endswith(f"/webhooks/{name}/{host.tenant}/{host.repository}")


def test_a_rotated_secret_works_at_once_beside_the_one_before_it_and_not_the_one_before_that(
    stack: Stack, tenant: str, host: Connected, repository: dict[str, Any]
) -> None:
    secrets = [host.secret]
    for _ in range(2):
        rotated = stack.call("projects", "POST", repository["path"] + "/webhook-secret", tenant=tenant).json
        secrets.append(rotated["secret"])
    assert [host.github(secret=secret).status for secret in secrets] == [403, 202, 202]


def test_a_deleted_repository_takes_no_more_deliveries(
    stack: Stack, tenant: str, host: Connected, repository: dict[str, Any]
) -> None:
    assert host.github().status == 202
    assert stack.call("projects", "DELETE", repository["path"], tenant=tenant).status == 204
    assert host.github().status == 403
