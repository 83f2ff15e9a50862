"""An export holds all that a tenant wrote, and no secret; what is cut off goes on where it stopped."""

import gzip
import hashlib
import json
import re
from typing import Any
from urllib.request import urlopen

import pytest

from almanac.access import Caller, Role
from identity.exports.entities import EXPORTED, LEFT_OUT
from infra.template import ROOT
from tests.integration.harness import Stack
from tests.integration.projects.workspace import Workspace

TEXTS = ["the first decision", "the second decision"]


def asked(stack: Stack, owner: Caller) -> str:
    answer = stack.call("identity", "POST", "/api/v1/exports", caller=owner)
    assert answer.status == 202, answer.text
    export: str = answer.json["id"]
    return export


def shown(stack: Stack, owner: Caller, export: str) -> Any:
    return stack.call("identity", "GET", f"/api/v1/exports/{export}", caller=owner).json


def write(stack: Stack, *, milliseconds: int = 300_000) -> None:
    """Have the export's messages worked off, and no repository synced."""
    while stack.relay() + stack.deliver("Identity", milliseconds=milliseconds):
        pass


def downloaded(files: list[dict[str, str]]) -> dict[str, bytes]:
    found = {}
    for file in files:
        with urlopen(file["url"]) as answer:  # noqa: S310 - the store on loopback
            assert file["name"] in answer.headers["content-disposition"]
            found[file["name"]] = answer.read()
    return found


def lines(archive: dict[str, bytes]) -> list[dict[str, Any]]:
    parts = [gzip.decompress(body) for name, body in sorted(archive.items()) if name != "manifest.json"]
    return [json.loads(line) for part in parts for line in part.splitlines()]


@pytest.fixture
def work(stack: Stack) -> Workspace:
    work = Workspace(stack, stack.tenant("Acme"))
    project = work.project()
    checkpoint = work.checkpoint(project)
    for text in TEXTS:
        work.message(checkpoint, text)
    work.settle()
    work.repository(project)
    return work


@pytest.fixture
def owner(stack: Stack, work: Workspace) -> Caller:
    return stack.member(work.tenant, Role.OWNER)


def test_an_archive_holds_what_the_tenant_wrote_and_its_manifest_vouches_for_it(
    stack: Stack, work: Workspace, owner: Caller
) -> None:
    neighbour = Workspace(stack, stack.tenant("Other"))
    neighbour.project(name="theirs")
    export = asked(stack, owner)
    write(stack)
    answer = shown(stack, owner, export)
    assert answer["state"] == "ready"
    archive = downloaded(answer["files"])
    manifest = json.loads(archive.pop("manifest.json"))
    assert (manifest["format"], manifest["tenant_id"], manifest["counts"]) == (1, work.tenant, answer["counts"])
    for part in manifest["parts"]:
        body = archive[part["name"]]
        assert (part["sha256"], part["bytes"]) == (hashlib.sha256(body).hexdigest(), len(body))
        assert part["lines"] == len(gzip.decompress(body).splitlines())
    rows = [line for line in lines(archive) if "row" in line]
    by_kind: dict[str, list[Any]] = {}
    for line in rows:
        by_kind.setdefault(line["attributes"]["entity"], []).append(line["attributes"])
    assert sorted(message["content"] for message in by_kind["message"]) == TEXTS
    assert {kind: len(found) for kind, found in by_kind.items()} == {
        kind: count for kind, count in manifest["counts"].items() if kind != "objects"
    }
    assert by_kind.keys() >= {"tenant", "member", "project", "checkpoint", "message", "repository", "audit_entry"}
    assert len([line for line in lines(archive) if "object" in line]) == manifest["counts"]["objects"] == 2
    assert all(line["row"]["pk"].startswith("TENANT#{tenant}") for line in rows)


def test_no_secret_is_in_an_archive(stack: Stack, work: Workspace, owner: Caller) -> None:
    body = {"name": "key", "scopes": ["content:read"]}
    key = stack.call("identity", "POST", "/api/v1/api-keys", body, tenant=work.tenant).json["api_key"]
    secrets = [key, hashlib.sha256(key.encode()).hexdigest(), "ghp_" + "a" * 36]
    project = work.project()
    stack.call(
        "projects",
        "POST",
        f"/api/v1/projects/{project}/repositories",
        {"url": "https://github.com/a/b", "access_token": secrets[2]},
        tenant=work.tenant,
    )
    export = asked(stack, owner)
    write(stack)
    archive = downloaded(shown(stack, owner, export)["files"])
    text = "".join(json.dumps(line) for line in lines(archive))
    assert not [secret for secret in secrets if secret in text]
    assert not re.search(r"cipher|cursor_secret", text)


def test_an_export_that_is_cut_off_goes_on_and_repeats_nothing(
    stack: Stack, work: Workspace, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.aws.table import Page, Table

    whole = asked(stack, owner)
    write(stack)
    expected = shown(stack, owner, whole)["counts"]
    find = Table.find

    async def a_few(table: Table, name: str, after: Any = None) -> Page:
        page = await find(table, name, None)
        begun = after["at"] if after else 0
        left = page.items[begun : begun + 7]
        return Page(left, {"at": begun + 7} if begun + 7 < len(page.items) else None)

    monkeypatch.setattr(Table, "find", a_few)
    export = asked(stack, owner)
    # Time for one look at most in each message: the reserve is a minute.
    monkeypatch.setattr("identity.exports.writer._RESERVE_SECONDS", 59.9)
    write(stack, milliseconds=60_000)
    answer = shown(stack, owner, export)
    assert answer["state"] == "ready"
    assert answer["parts"] > 1
    kinds = {"project", "checkpoint", "message", "repository", "member", "objects"}
    assert {kind: answer["counts"][kind] for kind in kinds} == {kind: expected[kind] for kind in kinds}


def test_a_deleted_export_leaves_nothing_in_the_bucket(stack: Stack, work: Workspace, owner: Caller) -> None:
    export = asked(stack, owner)
    again = stack.call("identity", "POST", "/api/v1/exports", caller=owner)
    assert (again.status, again.json["code"]) == (409, "export_under_way")
    write(stack)
    assert stack.call("identity", "DELETE", f"/api/v1/exports/{export}", caller=owner).status == 204
    assert stack.call("identity", "GET", f"/api/v1/exports/{export}", caller=owner).status == 404
    found = stack.client("s3").list_object_versions(Bucket="almanac", Prefix=f"tenants/{work.tenant}/exports/")
    assert not found.get("Versions")


def test_an_export_that_cannot_be_written_says_why(
    stack: Stack, work: Workspace, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.aws.blobs import Blobs
    from almanac.errors import TerminalError

    async def broken(*_: Any, **__: Any) -> None:
        raise TerminalError("disk_full", "there is no room")

    export = asked(stack, owner)
    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "put", broken)
        write(stack)
    answer = shown(stack, owner, export)
    assert (answer["state"], answer["cause"], answer["files"]) == ("failed", "disk_full: there is no room", [])
    asked(stack, owner)


def test_every_kind_of_row_is_exported_or_left_out_for_a_reason() -> None:
    code = [path.read_text() for folder in ("functions", "layers/core") for path in (ROOT / folder).rglob("*.py")]
    written = {kind for text in code for kind in re.findall(r'"entity": "(\w+)"', text)}
    written |= {
        kind for text in code for kind in re.findall(r'^(?:ENTITY|PROJECT, MEMBER) = "(\w+)"', text, re.MULTILINE)
    }
    assert not EXPORTED & LEFT_OUT.keys()
    assert written <= EXPORTED | LEFT_OUT.keys(), f"say what exports do with {written - EXPORTED - LEFT_OUT.keys()}"
