"""The API keeps its own document: generated requests find no server error and no answer that is not described."""

import base64
import importlib
import json
import warnings
from functools import cache
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra import openapi
from tests.integration import walk
from tests.integration.harness import Context, Stack, request_event

EXAMPLES = 20
ROUTES = walk.routes()
WITH_BODY = sorted(name for name, route in ROUTES.items() if "requestBody" in route.operation)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Requests about which nothing can be wrong: no body, no parameter but free text.
ALWAYS_VALID = {"GET /docs", "GET /docs/assets/{file}", "GET /openapi.json", "GET /redoc"}
MODES = [(name, GenerationMode.POSITIVE) for name in sorted(ROUTES)]
MODES += [(name, GenerationMode.NEGATIVE) for name in sorted(ROUTES.keys() - ALWAYS_VALID)]
DEEP = b"[" * 50_000 + b"]" * 50_000


@cache
def described() -> Any:
    document = openapi.merge(openapi.slice_documents())
    return schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict({}))


def send(stack: Stack, route: walk.Route, request: requests.PreparedRequest, tenant: str | None) -> Response:
    """Send a prepared request through the slice's handler, as API Gateway would."""
    parts = urlsplit(request.url or "")
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1") for name, value in request.headers.items()
    }
    event = request_event(route.method, parts.path, body, tenant=tenant, headers=headers)
    event["rawQueryString"] = parts.query
    answer = importlib.import_module(f"{route.slice_name}.app").handler(event, Context())
    text = answer.get("body") or ""
    content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    return Response(
        status_code=answer["statusCode"],
        headers={name: [value] for name, value in answer["headers"].items()},
        content=content,
        request=request,
        elapsed=0.0,
        verify=False,
    )


def prepare(case: Case[Any]) -> requests.PreparedRequest:
    arguments = case.as_transport_kwargs(base_url="http://api.test")
    known = {"method", "url", "headers", "params", "data", "json", "files", "cookies"}
    return requests.Request(**{name: value for name, value in arguments.items() if name in known}).prepare()


def is_routable(case: Case[Any]) -> bool:
    """Tell whether API Gateway would hand the request on: a path parameter is one whole segment."""
    return all(
        isinstance(value, str) and value not in {"", ".", ".."} and not set(value) & set("/{}?#%\\")
        for value in (case.path_parameters or {}).values()
    )


@pytest.mark.parametrize(("name", "mode"), MODES, ids=[f"{name} {mode.value}" for name, mode in MODES])
def test_every_answer_to_a_generated_request_is_as_described(stack: Stack, name: str, mode: GenerationMode) -> None:
    route = ROUTES[name]
    operation = described()[route.path][route.method]
    tenant = stack.tenant()
    ids = walk.real(stack, tenant, route.ids)
    take_real_ids = cycle([False, True])

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def probe(case: Case[Any]) -> None:
        if next(take_real_ids):
            for part in (case.path_parameters, case.query, case.body):
                if isinstance(part, dict):
                    part.update({name: ids[name] for name in part if name in ids})
        if is_routable(case):
            response = send(stack, route, prepare(case), tenant if route.secured else None)
            case.validate_response(response, checks=CHECKS)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        probe()


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe\x00", "application/json"),
        (b'{"\\ud800": "\\udfff"}', "application/json"),
        (b'{"name": "\\ud800", "content": "\\ud800", "q": "\\ud800"}', "application/json"),
        (b'{"name": NaN, "limit": 1e400}', "application/json"),
        (b'{"limit": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"' + b"k" * 100_000 + b'": 1}', "application/json"),
        (DEEP, "application/json"),
        (b"{}", "text/plain"),
        (b'{"no_such_field": 1}', "application/json; charset=no-such"),
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_a_body_that_is_not_one_is_refused_in_the_described_form(
    stack: Stack, name: str, body: bytes, content_type: str
) -> None:
    route = ROUTES[name]
    tenant = stack.tenant()
    ids = walk.made_up() | {"tenant_id": tenant}
    named = [*walk.IDS, *(each["name"] for each in route.operation.get("parameters", []))]
    path = route.path.format_map({parameter: ids.get(parameter, "x") for parameter in named})
    answer = stack.call(
        route.slice_name,
        route.method,
        path,
        body,
        tenant=tenant if route.secured else None,
        headers={"content-type": content_type},
    )
    assert 400 <= answer.status < 500 or (answer.status < 300 and body == b""), f"{answer.status} {answer.text[:300]}"
    assert str(answer.status) in route.operation["responses"], f"{answer.status} is not described"
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.text) < 10_000
    assert "Traceback" not in json.dumps(answer.json)
