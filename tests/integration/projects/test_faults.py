"""A store that fails leaves nothing half-written."""

from typing import Any

import pytest

from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.errors import RetryableError
from tests.integration.projects.conftest import Fault, Faults
from tests.integration.projects.workspace import URL, Workspace

LARGE = "x" * 400_000


class Throttled(Exception):
    """How botocore tells of an error that the service answered with."""

    response = {"Error": {"Code": "ProvisionedThroughputExceededException"}}


def requests(work: Workspace) -> list[tuple[str, str, Any]]:
    """Return every kind of change, on things that exist."""
    project = work.project()
    checkpoint = work.checkpoint(project)
    message = work.message(checkpoint)
    repository = f"/projects/{project}/repositories/{work.repository(project)['id']}"
    return [
        ("POST", "/projects", {"name": "x"}),
        ("DELETE", f"/projects/{project}", None),
        ("POST", "/checkpoints", {"project_id": project, "name": "x"}),
        ("DELETE", f"/checkpoints/{checkpoint}", None),
        ("POST", "/messages", {"checkpoint_id": checkpoint, "content": LARGE}),
        ("PATCH", f"/messages/{message}", {"version": 1, "content": LARGE}),
        ("DELETE", f"/messages/{message}", None),
        ("POST", f"/projects/{project}/repositories", {"url": "https://github.com/a/b", "access_token": "t"}),
        ("PATCH", repository, {"version": 1, "branch": "x", "access_token": "t"}),
        ("POST", f"{repository}/sync", None),
        ("DELETE", repository, None),
    ]


@pytest.mark.parametrize(("error", "status"), [(Throttled(), 500), (RetryableError("conflict"), 503)])
def test_a_transaction_that_fails_leaves_everything_as_it_was(
    work: Workspace, faults: Faults, error: Exception, status: int
) -> None:
    changes = requests(work)
    before = work.items(), work.objects(), work.outbox()
    faults.fail(Table("x", None), "transact", error)  # type: ignore[arg-type]
    for method, path, body in changes:
        answer = work.call(method, path, body, headers={"Idempotency-Key": "k"})
        assert answer.status == status, (method, path, answer.text)
        assert (work.items(), work.objects(), work.outbox()) == before, (method, path)


def test_a_bucket_that_fails_leaves_everything_as_it_was(work: Workspace, faults: Faults) -> None:
    changes = [change for change in requests(work) if "messages" in change[1] and change[2]]
    before = work.items(), work.objects(), work.outbox()
    faults.fail(Blobs("x", None), "put")  # type: ignore[arg-type]
    for method, path, body in changes:
        answer = work.call(method, path, body)
        assert (answer.status, answer.json["code"]) == (500, "internal_error")
        assert Fault.__name__ not in answer.text
        assert (work.items(), work.objects(), work.outbox()) == before


def test_a_key_service_that_fails_leaves_everything_as_it_was(work: Workspace, faults: Faults) -> None:
    project = work.project()
    repository = f"/projects/{project}/repositories/{work.repository(project)['id']}"
    before = work.items(), work.outbox()
    faults.fail(Secrets("x", None), "encrypt")  # type: ignore[arg-type]
    for method, path, body in (
        ("POST", f"/projects/{project}/repositories", {"url": "https://github.com/a/b"}),
        ("PATCH", repository, {"version": 1, "access_token": "secret-token"}),
        ("POST", f"{repository}/webhook-secret", None),
    ):
        answer = work.call(method, path, body)
        assert answer.status == 500
        assert "secret-token" not in answer.text
        assert (work.items(), work.outbox()) == before
    faults.heal()
    assert work.call("POST", f"{repository}/webhook-secret").status == 200


def test_an_object_stays_when_nobody_knows_whether_its_transaction_happened(
    work: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = work.checkpoint()
    transact = Table.transact

    async def silent(table: Table, writes: Any) -> None:
        await transact(table, writes)
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(Table, "transact", silent)
        body = {"checkpoint_id": checkpoint, "content": LARGE}
        answer = work.call("POST", "/messages", body, headers={"Idempotency-Key": "k"})
        assert answer.status == 500
    again = work.call("POST", "/messages", body, headers={"Idempotency-Key": "k"})
    assert (again.status, again.json["status"]) == (201, "created")
    assert work.call("GET", f"/messages/{again.json['id']}").json["content"] == LARGE


def test_a_refused_message_is_refused_even_when_its_object_cannot_be_removed(work: Workspace, faults: Faults) -> None:
    checkpoint = work.checkpoint()
    faults.fail(Table("x", None), "transact", RetryableError("conflict"))  # type: ignore[arg-type]
    faults.fail(Blobs("x", None), "delete")  # type: ignore[arg-type]
    answer = work.call("POST", "/messages", {"checkpoint_id": checkpoint, "content": "x"})
    assert (answer.status, answer.json["code"]) == (503, "busy")
    assert answer.headers["retry-after"] == "1"


def test_a_failing_worker_keeps_the_message_for_another_try(work: Workspace, faults: Faults) -> None:
    project = work.project()
    work.repository(project, URL)
    work.call("DELETE", f"/projects/{project}")
    work.stack.relay()
    faults.fail(Table("x", None), "transact")  # type: ignore[arg-type]
    work.stack.deliver("Projects")
    faults.heal()
    assert "repository" in work.entities()
    work.settle()
    assert "repository" not in work.entities()
