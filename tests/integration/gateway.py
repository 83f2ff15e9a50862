"""API Gateway in one process: the real authorizer first, then the slice that answers the route, as a WSGI application.

What it plays is the gateway's own part: a secured route without a bearer is a 401, one whose authorizer says no a 403,
an address that is no route a 404, each as API Gateway words it.
"""

import base64
import importlib
import json
import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tests.integration import walk
from tests.integration.harness import Context, request_event

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
_PARAMETER = re.compile(r"\\\{\w+\\\}")


class Gateway:
    """Routes as the merged document has them. `called` collects (route, status), for tests that want to know."""

    def __init__(self) -> None:
        routes = sorted(walk.routes().values(), key=lambda route: route.path.count("{"))
        self._routes = [(re.compile(_PARAMETER.sub("[^/]+", re.escape(route.path))), route) for route in routes]
        self.called: list[tuple[str, int]] = []

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        status, headers, body = self.answer(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            environ.get("QUERY_STRING", ""),
            _headers(environ),
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
        )
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [body]

    def answer(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request: status, headers, body."""
        matching = [route for pattern, route in self._routes if pattern.fullmatch(path)]
        route = next((route for route in matching if route.method == method), None)
        if route is None:
            return _refused(404, "Not Found")
        event = request_event(method, quote(path, safe="/%:@!$&'()*+,;=~-._"), body, headers=headers)
        event["rawQueryString"] = query
        if route.secured:
            if not headers.get("authorization"):
                return _refused(401, "Unauthorized")
            asked = {"version": "2.0", "type": "REQUEST", "headers": event["headers"], "requestContext": {}}
            decision = importlib.import_module("identity.authorizer").handler(asked, Context())
            if not decision["isAuthorized"]:
                return _refused(403, "Forbidden")
            event["requestContext"]["authorizer"] = {"lambda": decision["context"]}
        answer = importlib.import_module(f"{route.slice_name}.app").handler(event, Context())
        text = answer.get("body") or ""
        content = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        self.called.append((route.name, answer["statusCode"]))
        return answer["statusCode"], dict(answer["headers"]), content


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    given = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            given[name.replace("_", "-").lower()] = environ[name]
    return given


def _refused(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "application/json"}, json.dumps({"message": message}).encode()
