"""Who may call: the authorizer's context becomes the principal, and nothing else does."""

import json
from typing import Any

import pytest
from fastapi import APIRouter

from almanac.web.app import Handler, create_app, lambda_handler
from almanac.web.auth import Admin, Editor, Reader


@pytest.fixture(scope="module")
def handler() -> Handler:
    app = create_app("test", "test")
    router = APIRouter()

    @router.get("/read")
    async def read(principal: Reader) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id, "key_id": principal.key_id, "scope": principal.scope}

    @router.get("/write")
    async def write(principal: Editor) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id}

    @router.get("/admin")
    async def admin(principal: Admin) -> dict[str, str]:
        return {"tenant_id": principal.tenant_id}

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


def test_the_principal_is_what_the_authorizer_vouched_for(handler: Handler) -> None:
    context = {"tenant_id": "ten_1", "key_id": "key_1", "scope": "read"}
    assert get(handler, "/read", context) == (200, context)


@pytest.mark.parametrize("context", [None, {}, {"tenant_id": ""}])
def test_a_bearer_header_alone_is_not_a_principal(handler: Handler, context: dict[str, str] | None) -> None:
    status, body = get(handler, "/read", context)
    assert (status, body["code"]) == (401, "missing_credentials")


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("read", "/read", 200),
        ("read", "/write", 403),
        ("read", "/admin", 403),
        ("write", "/read", 200),
        ("write", "/write", 200),
        ("write", "/admin", 403),
        ("admin", "/write", 200),
        ("admin", "/admin", 200),
    ],
)
def test_a_scope_includes_the_ones_before_it(handler: Handler, scope: str, path: str, status: int) -> None:
    assert get(handler, path, {"tenant_id": "ten_1", "key_id": "key_1", "scope": scope})[0] == status
