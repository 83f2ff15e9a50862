"""Fills requests from the merged OpenAPI document: what tests that walk every route have in common."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from almanac.access import Caller, Role
from almanac.aws.table import dynamo
from almanac.findings.model import Finding, Origin, Receipt
from almanac.ids import new_id, new_ulid
from almanac.index.sources import Kind
from documents.model import DocumentState, Version
from identity.erasure.model import Erasure, ErasureKind, ErasureState
from identity.exports.model import Export, ExportState
from identity.imports.model import Import, ImportState
from identity.people.model import SessionRecord
from infra import openapi
from tests.integration.harness import ADMIN, Answer, Stack, person

# Every parameter or body field that holds an id, and what makes one up.
IDS: dict[str, Callable[[], str]] = {
    "tenant_id": partial(new_id, "ten"),
    "key_id": partial(new_id, "key"),
    "service_account_id": partial(new_id, "svc"),
    "person_id": partial(new_id, "usr"),
    "actor_id": partial(new_id, "usr"),
    "invitation_id": partial(new_id, "inv"),
    "erasure_id": partial(new_id, "ers"),
    "export_id": partial(new_id, "exp"),
    "import_id": partial(new_id, "imp"),
    "session_id": lambda: str(uuid.uuid4()),
    "project_id": partial(new_id, "prj"),
    "project": partial(new_id, "prj"),
    "repository_id": partial(new_id, "rep"),
    "checkpoint_id": partial(new_id, "chk"),
    "message_id": partial(new_id, "msg"),
    "finding_id": partial(new_id, "fnd"),
    "document_id": partial(new_id, "doc"),
    "collection_id": partial(new_id, "col"),
    "conversation_id": partial(new_id, "cnv"),
    "index_id": lambda: f"test-hash-{new_ulid()}",
}
# Which route makes one, where another one than the tenant itself.
CREATORS = {
    "key_id": "POST /api/v1/api-keys",
    "service_account_id": "POST /api/v1/service-accounts",
    "invitation_id": "POST /api/v1/invitations",
    "project_id": "POST /api/v1/projects",
    "repository_id": "POST /api/v1/projects/{project_id}/repositories",
    "checkpoint_id": "POST /api/v1/checkpoints",
    "message_id": "POST /api/v1/messages",
    "document_id": "POST /api/v1/documents",
    "collection_id": "POST /api/v1/collections",
    "conversation_id": "POST /api/v1/conversations",
    "index_id": "POST /api/v1/search/indexes",
}
# What no single call makes, and how it is made.
MAKERS: dict[str, Callable[[Stack, str, dict[str, str]], str]] = {
    "person_id": lambda stack, tenant, _: _member(stack, tenant),
    "actor_id": lambda stack, tenant, ids: _let_in(stack, tenant, ids),
    "finding_id": lambda stack, tenant, _: _finding(stack, tenant),
    "session_id": lambda stack, tenant, _: _session(stack, tenant),
    "erasure_id": lambda stack, tenant, _: _erasure(stack, tenant),
    "export_id": lambda stack, tenant, _: _export(stack, tenant),
    "import_id": lambda stack, tenant, _: _import(stack, tenant),
}
# What no key may do: an owner calls.
OWNERS_ONLY = {
    "POST /api/v1/tenants/me/transfer",
    "POST /api/v1/erasures",
    "POST /api/v1/imports",
    "GET /api/v1/imports/{import_id}",
    "POST /api/v1/imports/{import_id}/start",
}
# What is a person's own, whatever the tenant: each tenant of a walk has one who calls.
PERSONS_OWN = {"DELETE /api/v1/users/me/sessions/{session_id}", "GET /api/v1/erasures/{erasure_id}"}
_ALIASES = {"project": "project_id"}

Ids = Mapping[str, str]


class CannotFill(AssertionError):
    """The walk does not know what to send; the text says for which route and field."""


@dataclass(frozen=True)
class Route:
    """One operation: which slice answers it, and its description."""

    slice_name: str
    method: str
    path: str
    operation: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def secured(self) -> bool:
        return bool(self.operation.get("security"))

    @property
    def ids(self) -> list[str]:
        """The ids that a request takes, by the name of the resource, each once."""
        named = [name for name, _ in self._named_ids()]
        return list(dict.fromkeys(_ALIASES.get(name, name) for name in named))

    def _named_ids(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for parameter in self.operation.get("parameters", []):
            if parameter["in"] != "header" and _is_id(self, parameter["name"]):
                yield parameter["name"], parameter["schema"]
        for name, schema in _body(self).get("properties", {}).items():
            if _is_id(self, name):
                yield name, schema

    def call(
        self, stack: Stack, ids: Ids, tenant: str | None, *, scope: str = ADMIN, caller: Caller | None = None
    ) -> Answer:
        """Send the smallest complete request with these ids."""
        if caller is None and tenant is not None and self.name in OWNERS_ONLY:
            caller = stack.member(tenant, Role.OWNER)
        if caller is None and tenant is not None and self.name in PERSONS_OWN:
            caller = person(tenant, Role.MEMBER, _person_of(tenant))
        path, query, headers = self.path, {}, {}
        for parameter in self.operation.get("parameters", []):
            name, place = parameter["name"], parameter["in"]
            if place == "path" or parameter.get("required") or name in IDS:
                value = _value(self, name, parameter["schema"] | _examples(parameter), ids)
                if place == "path":
                    path = path.replace(f"{{{name}}}", str(value))
                elif place == "query":
                    query[name] = value
                else:
                    headers[name] = value
        body = None
        if "requestBody" in self.operation:
            schema = _body(self)
            wanted = [name for name in schema["properties"] if name in schema.get("required", []) or name in IDS]
            body = {name: _value(self, name, schema["properties"][name], ids) for name in wanted}
        return stack.call(
            self.slice_name,
            self.method,
            path,
            body,
            tenant=tenant,
            scope=scope,
            query=query,
            headers=headers,
            caller=caller,
        )


@cache
def routes() -> dict[str, Route]:
    """Return every route of the merged document, by method and path."""
    documents = openapi.slice_documents()
    owner = {path: name for name, document in documents.items() for path in document["paths"]}
    found = (
        Route(owner[path], method.upper(), path, operation)
        for path, method, operation in openapi.operations(openapi.merge(documents))
    )
    return {route.name: route for route in found}


def made_up() -> dict[str, str]:
    """Return well-formed ids of nothing."""
    return {name: make() for name, make in IDS.items() if name not in _ALIASES}


def real(stack: Stack, tenant: str, wanted: list[str]) -> dict[str, str]:
    """Create the resources that `wanted` names in the tenant, and what they lie in; returns their ids."""
    ids = {"tenant_id": tenant}
    for name in wanted:
        _create(stack, tenant, name, ids)
    return ids


def _create(stack: Stack, tenant: str, name: str, ids: dict[str, str]) -> None:
    if name in ids:
        return
    if name in MAKERS:
        ids[name] = MAKERS[name](stack, tenant, ids)
        return
    creator = routes().get(CREATORS.get(name, ""))
    if creator is None:
        raise CannotFill(f"nothing is known to create a {name}: add it to {__name__}.CREATORS")
    for parent in creator.ids:
        _create(stack, tenant, parent, ids)
    answer = creator.call(stack, ids, tenant)
    assert answer.status in {201, 202}, f"{creator.name}: {answer.status} {answer.text}"
    ids[name] = answer.json["id"]
    if name == "document_id":
        _write_versions(stack, tenant, ids[name])


def _person_of(tenant: str) -> str:
    return f"usr_{tenant.removeprefix('ten_')}"


def _session(stack: Stack, tenant: str) -> str:
    """Write a session down as signing in does."""
    session = SessionRecord(
        person_id=_person_of(tenant),
        id=IDS["session_id"](),
        created_at="2026-01-01T00:00:00.000Z",
        used_at="2026-01-01T00:00:00.000Z",
        expires_at=int(time.time()) + 3600,
        refresh_sha256="0",
        family_sha256="0",
    )
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(session.to_item()))
    return session.id


def _erasure(stack: Stack, tenant: str) -> str:
    """Write an erasure as its owner's request does; the tenant stays as it is."""
    erasure = Erasure(
        id=new_id("ers"),
        kind=ErasureKind.TENANT,
        subject_id=tenant,
        person_id=_person_of(tenant),
        asked_at="2026-01-01T00:00:00.000Z",
        state=ErasureState.CLOSING,
        due_at=None,
    )
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(erasure.to_item()))
    return erasure.id


def _export(stack: Stack, tenant: str) -> str:
    """Write an export that is ready."""
    export = Export(
        id=new_id("exp"),
        tenant_id=tenant,
        asked_at="2026-01-01T00:00:00.000Z",
        asked_by=_person_of(tenant),
        state=ExportState.READY,
        expires_at=int(time.time()) + 3600,
    )
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(export.to_item()))
    return export.id


def _import(stack: Stack, tenant: str) -> str:
    """Write an import that waits for its files."""
    waiting = Import(
        id=new_id("imp"),
        tenant_id=tenant,
        asked_at="2026-01-01T00:00:00.000Z",
        asked_by=_person_of(tenant),
        state=ImportState.WAITING,
        parts=[],
        expires_at=int(time.time()) + 3600,
    )
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(waiting.to_item()))
    return waiting.id


def _finding(stack: Stack, tenant: str) -> str:
    """Write a finding as the embedding worker does, with a purge that somebody asked for."""
    origin = Origin(kind=Kind.MESSAGE, project_id=new_id("prj"), container_id=new_id("chk"), message_id=new_id("msg"))
    at = "2026-01-01T00:00:00.000Z"
    found = Finding(
        id=new_id("fnd"), kind="github_token", origin=origin, fingerprint="0", line=1, first_seen_at=at, last_seen_at=at
    )
    receipt = Receipt(finding_id=found.id, requested_by="usr_1", requested_at=at)
    for item in (found.to_item(tenant), receipt.to_item(tenant)):
        stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
    return found.id


def _write_versions(stack: Stack, tenant: str, document_id: str) -> None:
    """Write down files that were read, beside the one that the document waits for."""
    for number in (1, 3, 5):
        version = Version(
            version=number,
            revision=number,
            filename="scope.md",
            size=1,
            sha256="0" * 64,
            state=DocumentState.READY,
            uploaded_by="key_test",
            written_at="2026-01-01T00:00:00.000Z",
        )
        stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(version.to_item(tenant, document_id)))


def _member(stack: Stack, tenant: str) -> str:
    caller = stack.member(tenant, Role.MEMBER)
    assert caller.person is not None
    return caller.person.id


def make_private(stack: Stack, tenant: str, project_id: str) -> None:
    """Make a project private, with the key of the walk as its member."""
    _make_private(stack, tenant, "projects", f"/api/v1/projects/{project_id}")


def make_collection_private(stack: Stack, tenant: str, collection_id: str) -> None:
    """Make a collection private, with the key of the walk as its member."""
    _make_private(stack, tenant, "documents", f"/api/v1/collections/{collection_id}")


def _make_private(stack: Stack, tenant: str, slice_name: str, path: str) -> None:
    shown = stack.call(slice_name, "GET", path, tenant=tenant).json
    change = {"version": shown["version"], "visibility": "private"}
    assert stack.call(slice_name, "PATCH", path, change, tenant=tenant).status == 200


def _let_in(stack: Stack, tenant: str, ids: dict[str, str]) -> str:
    """Let somebody into a collection, or into a project, which becomes private."""
    if "collection_id" in ids:
        make_collection_private(stack, tenant, ids["collection_id"])
        actor_id = _member(stack, tenant)
        path = f"/api/v1/collections/{ids['collection_id']}/members/{actor_id}"
        added = stack.call("documents", "PUT", path, {"right": "write"}, tenant=tenant)
        assert added.status == 200, added.text
        return actor_id
    _create(stack, tenant, "project_id", ids)
    make_private(stack, tenant, ids["project_id"])
    actor_id = _member(stack, tenant)
    added = stack.call("projects", "PUT", f"/api/v1/projects/{ids['project_id']}/members/{actor_id}", tenant=tenant)
    assert added.status == 200, added.text
    return actor_id


def _is_id(route: Route, name: str) -> bool:
    if name.endswith(("_id", "_ids")) and name not in IDS:
        raise CannotFill(f"{route.name}: {name} is an id of an unknown kind: add it to {__name__}.IDS")
    return name in IDS


def _value(route: Route, name: str, schema: Mapping[str, Any], ids: Ids) -> Any:
    if _is_id(route, name):
        value = ids[_ALIASES.get(name, name)]
        return [value] if _is_list(schema) else value
    schema = _resolve(schema)
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    raise CannotFill(f"{route.name}: nothing is known to send as {name}: give the field an example")


def _is_list(schema: Mapping[str, Any]) -> bool:
    return any(form.get("type") == "array" for form in [schema, *schema.get("anyOf", [])])


def _examples(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {"examples": [parameter["example"]]} if "example" in parameter else {}


def _body(route: Route) -> Mapping[str, Any]:
    content = route.operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return {"properties": {}, **_resolve(schema)}


@cache
def _schemas() -> Mapping[str, Any]:
    return openapi.merge(openapi.slice_documents())["components"]["schemas"]  # type: ignore[no-any-return]


def _resolve(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return {**_schemas()[schema["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema
