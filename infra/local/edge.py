"""The local edge: one plain address in front of MiniStack's, `http://127.0.0.1:8080/api/v1/...`.

`python -m infra.local.edge --port <port> --upstream <address of the API>`. It passes requests on unchanged and answers
CORS for pages on this machine, which MiniStack does not take from a template. The deployed stack has no such part.
"""

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from infra.local.layout import EDGE_HEALTH_PATH
from infra.local.processes import LOOPBACK

ORIGINS = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# Those of one connection and not of the message (RFC 9110, 7.6.1), and what each side computes anew.
HOP_BY_HOP = frozenset({
    "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip


def create_edge(upstream: str) -> Starlette:
    """Return the application that passes every path on to `upstream`."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    # API Gateway gives up after 30 s; a cold function of the first call may come close to that.
    client = httpx.AsyncClient(timeout=httpx.Timeout(40.0), limits=limits, trust_env=False, follow_redirects=False)

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok", "upstream": upstream})

    async def forward(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode("latin-1")
        outgoing = client.build_request(
            request.method,
            f"{upstream}{path}{query}",
            headers=[(name, value) for name, value in request.headers.raw if name.decode() not in HOP_BY_HOP],
            content=await request.body(),
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            return _unavailable(type(error).__name__)
        headers = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in HOP_BY_HOP]
        response = StreamingResponse(answer.aiter_raw(), status_code=answer.status_code)
        response.raw_headers = [(name.lower(), value) for name, value in headers]
        return response

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    cors = Middleware(
        CORSMiddleware,
        allow_origin_regex=ORIGINS,
        allow_methods=METHODS,
        allow_headers=["authorization", "content-type", "idempotency-key", "x-almanac-tenant", "x-correlation-id"],
        expose_headers=["x-correlation-id", "location", "ratelimit", "ratelimit-policy", "retry-after"],
        max_age=600,
    )
    routes = [Route(EDGE_HEALTH_PATH, health), Route("/{path:path}", forward, methods=METHODS)]
    return Starlette(routes=routes, middleware=[cors], lifespan=lifespan)


def _unavailable(cause: str) -> Response:
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "local_stack_unreachable",
        "detail": f"The local stack does not answer ({cause}). 'almanac status' tells why, 'almanac up' starts it.",
    }
    return Response(json.dumps(problem), 503, media_type="application/problem+json")


def main() -> None:
    parser = argparse.ArgumentParser(description="One plain address in front of the local stack.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        create_edge(arguments.upstream), host=LOOPBACK, port=arguments.port, log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
