"""Every route of every slice: documented, guarded, and known to the template."""

import importlib
import inspect
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.routing import RouteContext, iter_route_contexts

from infra import openapi
from infra.template import load, routes
from tests.architecture.source import ROOT

PUBLIC = {
    "GET /docs",
    "GET /docs/assets/{file}",
    "GET /health",
    "GET /openapi.json",
    "GET /redoc",
    "POST /api/v1/auth/confirm",
    "POST /api/v1/auth/forgot-password",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/resend-code",
    "POST /api/v1/auth/reset-password",
    "POST /api/v1/auth/sign-in",
    "POST /api/v1/auth/sign-in/mfa",
    "POST /api/v1/auth/sign-out",
    "POST /api/v1/auth/sign-up",
    "POST /api/v1/webhooks/github/{tenant_id}/{repository_id}",
    "POST /api/v1/webhooks/gitlab/{tenant_id}/{repository_id}",
}


@cache
def merged() -> openapi.Document:
    return openapi.merge(openapi.slice_documents())


@cache
def slice_routes() -> tuple[tuple[str, RouteContext], ...]:
    """Return every slice's routes, each with the file and line of its handler."""
    found = []
    for name in openapi.slice_documents():
        app: FastAPI = importlib.import_module(f"{name}.app").app
        for route in iter_route_contexts(app.routes):
            assert route.endpoint is not None
            code = route.endpoint.__code__
            found.append((f"{code.co_filename.removeprefix(f'{ROOT}/')}:{code.co_firstlineno}", route))
    return tuple(found)


def names(route: RouteContext) -> list[str]:
    """Return a route's keys as API Gateway spells them."""
    return [f"{method} {route.path}" for method in sorted(route.methods or ()) if method != "HEAD"]


def secured(operation: dict[str, Any]) -> bool:
    return bool(operation.get("security"))


def test_every_route_says_what_it_answers() -> None:
    bare = [
        f"{where}: {route.name} has neither a response_model nor a response class of its own, and is not a 204"
        for where, route in slice_routes()
        if route.response_model is None and route.status_code != 204 and not _own_response_class(route)
    ]
    assert not bare, "\n" + "\n".join(bare)


def _own_response_class(route: RouteContext) -> bool:
    return inspect.isclass(route.response_class) and issubclass(route.response_class, Response)


def test_every_route_has_a_docstring_of_one_line() -> None:
    wrong = [
        f"{where}: {route.name} needs a docstring whose first line stands alone"
        for where, route in slice_routes()
        if not (text := inspect.getdoc(route.endpoint)) or len(text.split("\n\n")[0].splitlines()) != 1
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_guarded_route_documents_its_refusals() -> None:
    wrong = [
        f"{where}: {route.name} does not pass problem_responses(...) for {missing}"
        for where, route in slice_routes()
        for missing in _undocumented(route)
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def _undocumented(route: RouteContext) -> list[int]:
    documented = {int(status) for status in route.responses}
    if set(names(route)) <= PUBLIC:
        return []
    needed = {401, 404} if "{" in (route.path or "") else {401}
    return sorted(needed - documented)


def test_no_route_runs_outside_the_event_loop() -> None:
    blocking = [
        f"{where}: {route.name}" for where, route in slice_routes() if not inspect.iscoroutinefunction(route.endpoint)
    ]
    assert not blocking, "\n" + "\n".join(blocking)


def test_the_walk_sees_every_route_of_the_merged_document() -> None:
    walked = sorted(name for _, route in slice_routes() for name in names(route))
    documented = sorted(f"{method.upper()} {path}" for path, method, _ in openapi.operations(merged()))
    assert walked == documented


def test_only_the_listed_routes_are_public() -> None:
    public = {
        f"{method.upper()} {path}" for path, method, operation in openapi.operations(merged()) if not secured(operation)
    }
    assert public <= PUBLIC


def test_every_required_field_of_a_request_has_an_example() -> None:
    schemas = merged()["components"]["schemas"]
    wrong = [
        f"{name}.{field}"
        for name in sorted(_request_schemas())
        for field, schema in schemas[name].get("properties", {}).items()
        if field in schemas[name].get("required", []) and not _speaks_for_itself(schema)
    ]
    assert not wrong, f"without an example: {', '.join(wrong)}"


def _request_schemas() -> set[str]:
    found = set()
    for _, _, operation in openapi.operations(merged()):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "$ref" in content["schema"]:
                found.add(content["schema"]["$ref"].rsplit("/", 1)[1])
    return found


def _speaks_for_itself(schema: dict[str, Any]) -> bool:
    return bool(schema.keys() & {"examples", "$ref", "enum", "const"})


def test_the_template_routes_exactly_what_the_slices_answer() -> None:
    answered = {
        f"{method.upper()} {path}": secured(operation) for path, method, operation in openapi.operations(merged())
    }
    template = routes(load())
    assert sorted(template.keys() - answered.keys()) == [], "the template routes what no slice answers"
    assert sorted(answered.keys() - template.keys()) == [], "the template does not route what a slice answers"
    assert {route for route in answered if answered[route] != template[route]} == set(), "guarded in one place only"


def test_every_slice_with_an_api_is_in_the_merged_document() -> None:
    with_api = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert with_api == set(openapi.slice_documents())


def test_the_committed_document_is_current() -> None:
    committed = openapi.DOCUMENT.read_text()
    assert committed == openapi.render(merged()), "functions/console/openapi.json is stale: run `make openapi`"


def test_no_answer_has_the_frameworks_own_error_form() -> None:
    text = openapi.render(merged())
    assert "HTTPValidationError" not in text
    for path, method, operation in openapi.operations(merged()):
        for status in ("500", "503"):
            assert status in operation["responses"], f"{method} {path} does not document {status}"
