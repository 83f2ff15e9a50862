"""`create_app`: what every API slice gets, so that a slice adds routes and nothing else."""

import asyncio
import re
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from mangum import Mangum
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from almanac import runtime
from almanac.limits import admission
from almanac.observability import bind_correlation_id, emit, log, log_failure
from almanac.web import auth, edges, problems, recording

API_PREFIX = "/api/v1"
VERSION = "0.1.0"

# What leaves as text; API Gateway takes anything else in base64.
_TEXT_TYPES = ["text/", "application/json", problems.MEDIA_TYPE]
_CORRELATION_HEADER = b"x-correlation-id"
_CORRELATION_PATTERN = re.compile(rb"[A-Za-z0-9._-]{8,128}")

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def create_app(title: str, description: str, *, files: re.Pattern[str] | None = None) -> FastAPI:
    """Return an application with error rendering, correlation id, access log and metrics installed.

    `files` are the paths that take files as bodies.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # An address has one spelling; a redirect would also lead to whatever host the caller named.
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    problems.install(app)
    app.add_middleware(edges.Edges, files=files)
    app.add_middleware(Observe)
    return app


def include(app: FastAPI, router: APIRouter, *, prefix: str = API_PREFIX) -> None:
    """Add a slice's routes; each also describes what it may answer because of what every call passes."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            common = _OF_SECURED if _is_secured(route) else _OF_ALL
            route.responses = {**problems.problem_responses(*common), **route.responses}
    app.include_router(router, prefix=prefix)


def lambda_handler(app: FastAPI) -> Handler:
    """Return the function's entry point, on the environment's one event loop."""
    _build(app)

    @cache
    def adapter() -> Mangum:
        return Mangum(app, lifespan="off", text_mime_types=_TEXT_TYPES)

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        # Mangum takes the thread's current loop, and makes one of its own when it is built without one.
        asyncio.set_event_loop(runtime.loop())
        return adapter()(event, context)

    return handler


def _build(app: FastAPI) -> None:
    """Have FastAPI build its routes now: at the first request it would hold the event loop for a tenth of a second."""
    asked = {"type": "http", "method": "GET", "path": f"{API_PREFIX}/", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(asked)


_OF_ALL = edges.EVERYWHERE
_OF_SECURED = (
    *_OF_ALL,
    auth.MissingPrincipal,
    auth.InsufficientPermission,
    auth.TenantNotChosen,
    auth.PersonRequired,
    admission.RateLimited,
)


class Observe:
    """Binds the correlation id, answers what nobody caught as a 500 problem, and records each request once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        correlation_id = bind_correlation_id(_correlation_of(scope))
        status = 500
        ending = recording.Ending(scope.setdefault("state", {}))

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(_CORRELATION_HEADER, correlation_id.encode())]
                given = {name for name, _ in message["headers"]}
                extra += [header for header in edges.SECURITY_HEADERS if header[0] not in given]
                extra += scope.get("state", {}).get(admission.STATE, [])
                message = {**message, "headers": [*message["headers"], *extra]}
            ending.see(message)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - the one catch-all of the HTTP road
            log_failure("request failed", error, method=scope["method"], route=_route(scope))
            await problems.internal_error(scope["path"])(scope, receive, sending)
        await ending.record()
        _record(scope, status, (time.perf_counter() - began) * 1000)


def _record(scope: Scope, status: int, milliseconds: float) -> None:
    route = f"{scope['method']} {_route(scope)}"
    log("info", "request", route=route, status=status, milliseconds=round(milliseconds, 2))
    emit({"Latency": (milliseconds, "Milliseconds"), f"Status{status // 100}xx": (1, "Count")}, route=route)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _correlation_of(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == _CORRELATION_HEADER and _CORRELATION_PATTERN.fullmatch(value):
            return str(value.decode())
    return None


def _is_secured(route: APIRoute) -> bool:
    return any(getattr(dependency.call, "vouched", False) for dependency in route.dependant.dependencies)


def _operation_id(route: APIRoute) -> str:
    return f"{route.name}"
