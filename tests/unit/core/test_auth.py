"""Who may call: the authorizer's context becomes the principal, and nothing else does."""

import json
from typing import Annotated, Any

import pytest
from fastapi import APIRouter

from almanac.access import ROLES, Permission, Principal, Role, spell
from almanac.web.app import Handler, create_app, lambda_handler
from almanac.web.auth import Editor, Reader, SignedIn, needs


@pytest.fixture(scope="module")
def handler() -> Handler:
    app = create_app("test", "test")
    router = APIRouter()

    @router.get("/read")
    async def read(principal: Reader) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id, "actor_id": principal.actor_id, "role": principal.role or ""}

    @router.get("/write")
    async def write(principal: Editor) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id}

    @router.get("/keys")
    async def keys(principal: Annotated[Principal, needs(Permission.KEYS_MANAGE)]) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id}

    @router.get("/me")
    async def me(person: SignedIn) -> dict[str, str]:
        return {"person_id": person.id}

    app.include_router(router)
    return lambda_handler(app)


def get(handler: Handler, path: str, context: dict[str, str] | None) -> tuple[int, Any]:
    http = {"method": "GET", "path": path, "sourceIp": "127.0.0.1", "protocol": "HTTP/1.1"}
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"authorization": "Bearer alm_whatever"},
        "requestContext": {"http": http, "authorizer": {"lambda": context}},
        "isBase64Encoded": False,
    }
    answer = handler(event, None)
    assert not answer["isBase64Encoded"]
    return answer["statusCode"], json.loads(answer["body"])


OF_KEY = {"tenant_id": "ten_1", "actor_id": "svc_1", "key_id": "key_1"}
OF_PERSON = {"person_id": "usr_1", "email": "ada@example.org", "session_id": "s1"}


def test_the_principal_is_what_the_authorizer_vouched_for(handler: Handler) -> None:
    context = {**OF_PERSON, "tenant_id": "ten_1", "actor_id": "usr_1", "role": "viewer", "permissions": "content:read"}
    assert get(handler, "/read", context) == (200, {"tenant_id": "ten_1", "actor_id": "usr_1", "role": "viewer"})


@pytest.mark.parametrize("context", [None, {}, {"tenant_id": ""}])
@pytest.mark.parametrize("path", ["/read", "/me"])
def test_a_bearer_header_alone_is_not_a_caller(handler: Handler, path: str, context: dict[str, str] | None) -> None:
    status, body = get(handler, path, context)
    assert (status, body["code"]) == (401, "missing_credentials")


@pytest.mark.parametrize("path", ["/read", "/write", "/keys"])
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_call_what_its_permissions_name(handler: Handler, role: Role, path: str) -> None:
    needed = {"/read": "content:read", "/write": "content:write", "/keys": "keys:manage"}[path]
    context = {**OF_PERSON, "tenant_id": "ten_1", "actor_id": "usr_1", "role": role, "permissions": spell(ROLES[role])}
    status, body = get(handler, path, context)
    assert status == (200 if needed in ROLES[role] else 403), body
    assert status == 200 or (body["code"] == "insufficient_permission" and needed in body["detail"])


def test_no_permission_stands_for_another(handler: Handler) -> None:
    every = {permission: get(handler, "/read", {**OF_KEY, "permissions": permission})[0] for permission in Permission}
    assert [permission for permission, status in every.items() if status == 200] == [Permission.CONTENT_READ]


def test_an_empty_list_of_permissions_permits_nothing(handler: Handler) -> None:
    assert get(handler, "/read", {**OF_KEY, "permissions": ""})[0] == 403


def test_a_permission_that_nobody_knows_is_an_error_and_no_permission(handler: Handler) -> None:
    assert get(handler, "/read", {**OF_KEY, "permissions": "content:read content:everything"})[0] == 500


def test_a_person_without_a_tenant_is_told_to_choose_one(handler: Handler) -> None:
    status, body = get(handler, "/read", OF_PERSON)
    assert (status, body["code"]) == (403, "tenant_not_chosen")
    assert "x-almanac-tenant" in body["detail"]
    assert get(handler, "/me", OF_PERSON) == (200, {"person_id": "usr_1"})


def test_a_key_is_no_person(handler: Handler) -> None:
    status, body = get(handler, "/me", {**OF_KEY, "permissions": spell(Permission)})
    assert (status, body["code"]) == (403, "person_required")
