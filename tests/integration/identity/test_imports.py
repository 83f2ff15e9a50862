"""What was exported is imported elsewhere: the same projects, messages and answers, in a tenant of its own."""

import json
import urllib.request
from typing import Any

import pytest

from almanac.access import Caller, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from tests.integration.harness import Answer, Stack
from tests.integration.identity.test_exports import asked, downloaded, shown, write
from tests.integration.projects.workspace import Workspace

TEXTS = ["elephants remember the first decision", "elephants remember the second decision"]


@pytest.fixture
def work(stack: Stack) -> Workspace:
    work = Workspace(stack, stack.tenant("Acme"))
    project = work.project()
    checkpoint = work.checkpoint(project)
    for text in TEXTS:
        work.message(checkpoint, text)
    work.settle()
    return work


@pytest.fixture
def archive(stack: Stack, work: Workspace) -> dict[str, bytes]:
    owner = stack.member(work.tenant, Role.OWNER)
    export = asked(stack, owner)
    write(stack)
    return downloaded(shown(stack, owner, export)["files"])


@pytest.fixture
def owner(stack: Stack) -> Caller:
    return stack.member(stack.tenant("New"), Role.OWNER)


def begin(stack: Stack, owner: Caller, archive: dict[str, bytes]) -> Answer:
    manifest = json.loads(archive["manifest.json"])
    return stack.call("identity", "POST", "/api/v1/imports", {"manifest": manifest}, caller=owner)


def upload(created: Any, archive: dict[str, bytes]) -> None:
    for file in created["uploads"]:
        request = urllib.request.Request(  # noqa: S310 - the store on loopback
            file["url"],
            data=archive[file["name"]],
            method="PUT",
            headers={**file["headers"], "content-type": "application/gzip"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert answer.status == 200


def start(stack: Stack, owner: Caller, created: Any) -> Any:
    path = f"/api/v1/imports/{created['id']}"
    assert stack.call("identity", "POST", f"{path}/start", caller=owner).status == 202
    stack.drain(milliseconds=300_000)
    return stack.call("identity", "GET", path, caller=owner).json


def listed(stack: Stack, tenant: str, path: str, **query: str) -> list[Any]:
    items = stack.call("projects", "GET", f"/api/v1/{path}", tenant=tenant, query=query).json["items"]
    return [{name: value for name, value in item.items() if name != "indexed"} for item in items]


def test_an_imported_tenant_answers_like_the_exported_one(
    stack: Stack, work: Workspace, archive: dict[str, bytes], owner: Caller
) -> None:
    assert owner.principal is not None
    new = owner.principal.tenant_id
    created = begin(stack, owner, archive)
    assert created.status == 201, created.text
    upload(created.json, archive)
    done = start(stack, owner, created.json)
    assert (done["state"], done["counts"]["message"], done["cause"]) == ("done", 2, None)
    projects = listed(stack, work.tenant, "projects")
    assert listed(stack, new, "projects") == projects
    checkpoints = listed(stack, work.tenant, "checkpoints", project_id=projects[0]["id"])
    assert listed(stack, new, "checkpoints", project_id=projects[0]["id"]) == checkpoints
    messages = listed(stack, work.tenant, "messages", checkpoint_id=checkpoints[0]["id"])
    assert listed(stack, new, "messages", checkpoint_id=checkpoints[0]["id"]) == messages
    found = [
        stack.call("search", "GET", "/api/v1/search", tenant=tenant, query={"q": "elephants"}).json["items"]
        for tenant in (work.tenant, new)
    ]
    assert len(found[1]) == 2
    assert [hit["excerpt"] for hit in found[1]] == [hit["excerpt"] for hit in found[0]]
    left = stack.client("s3").list_object_versions(Bucket="almanac", Prefix=f"tenants/{new}/imports/")
    assert not left.get("Versions")


def test_nothing_is_written_of_an_archive_with_a_part_that_is_not_whole(
    stack: Stack, archive: dict[str, bytes], owner: Caller
) -> None:
    assert owner.principal is not None
    created = begin(stack, owner, archive).json
    name = created["uploads"][-1]["name"]
    upload(created, {**archive, name: archive[name][:-3]})
    failed = start(stack, owner, created)
    assert (failed["state"], failed["cause"]) == (
        "failed",
        f"{name} is not what the manifest says: upload it again",
    )
    assert listed(stack, owner.principal.tenant_id, "projects") == []
    upload(created, archive)
    assert start(stack, owner, created)["state"] == "done"


def test_an_import_that_is_cut_off_goes_on_and_ends_the_same(
    stack: Stack, archive: dict[str, bytes], owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.aws.table import Table

    assert owner.principal is not None
    created = begin(stack, owner, archive).json
    upload(created, archive)
    put, failures = Table.batch_put, iter([True, False])

    async def fails_once(table: Table, items: Any) -> None:
        await put(table, items)
        if next(failures, False):
            raise OSError("killed after writing")

    monkeypatch.setattr(Table, "batch_put", fails_once)
    assert start(stack, owner, created)["state"] == "done"
    assert len(listed(stack, owner.principal.tenant_id, "projects")) == 1


def test_an_archive_goes_into_a_tenant_without_projects_once(
    stack: Stack, archive: dict[str, bytes], owner: Caller
) -> None:
    created = begin(stack, owner, archive).json
    upload(created, archive)
    start(stack, owner, created)
    again = begin(stack, owner, archive)
    assert (again.status, again.json["code"]) == (409, "tenant_not_empty")
    path = f"/api/v1/imports/{created['id']}/start"
    assert stack.call("identity", "POST", path, caller=owner).json["code"] == "import_under_way"


def test_an_upload_that_takes_longer_is_given_new_addresses(
    stack: Stack, archive: dict[str, bytes], owner: Caller
) -> None:
    created = begin(stack, owner, archive).json
    path = f"/api/v1/imports/{created['id']}"
    again = stack.call("identity", "GET", path, caller=owner).json
    assert [file["name"] for file in again["uploads"]] == [file["name"] for file in created["uploads"]]
    upload(again, archive)
    done = start(stack, owner, created)
    assert (done["state"], done["uploads"]) == ("done", [])


def test_an_import_is_its_tenants_own(stack: Stack, archive: dict[str, bytes], owner: Caller) -> None:
    created = begin(stack, owner, archive).json
    other = stack.member(stack.tenant("Other"), Role.OWNER)
    assert stack.call("identity", "GET", f"/api/v1/imports/{created['id']}", caller=other).status == 404
    assert other.principal is not None
    items = stack.client("dynamodb").query(
        TableName="almanac",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues=dynamo({":pk": keys.import_(other.principal.tenant_id, "x").pk}),
    )["Items"]
    assert items == []
