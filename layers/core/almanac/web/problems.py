"""Errors as `application/problem+json` (RFC 9457): one renderer, one catch-all that tells nothing internal."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from almanac.errors import AppError
from almanac.observability import correlation_id, emit, log

MEDIA_TYPE = "application/problem+json"

_MOST_ERRORS = 50
_LONGEST_ECHO = 200
_DETAILS = {
    400: "The request cannot be read.",
    404: "There is nothing at this address.",
    405: "This address does not answer that method.",
}


def _absent() -> None:
    """Default of a member that most errors lack; the document then has no default, whoever renders it."""


class FieldError(BaseModel):
    """What is wrong with one field of the request; errors inside a text say where in it."""

    field: str = Field(examples=["body.name"])
    code: str = Field(examples=["string_too_short"])
    message: str = Field(examples=["String should have at least 1 character"])
    position: int | None = Field(
        default_factory=_absent,
        description="Where the part at fault begins in the field's text, in Unicode code points.",
        examples=[7],
    )
    length: int | None = Field(default_factory=_absent, description="How long that part is.", examples=[4])
    pointer: str | None = Field(
        default_factory=_absent,
        description="Two lines for people: the text around the part, and carets under it.",
        examples=["retry kind:poem\n           ^^^^"],
    )


class Problem(BaseModel):
    """The body of every error."""

    type: str = Field(examples=["about:blank#not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no project with this id."])
    instance: str = Field(examples=["/api/v1/projects/prj_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    code: str = Field(examples=["not_found"])
    correlation_id: str = Field(examples=["01k9zq3v7m8x2c4b6n0d1f5g7h"])
    errors: list[FieldError] = Field(default_factory=list, description="The fields at fault, where fields are.")


def problem_responses(*errors: type[AppError]) -> dict[int | str, dict[str, Any]]:
    """Describe a route's errors for the OpenAPI document; errors that share a status share an entry."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        known = responses.get(error.status)
        text = f"{known['description']}; {error.title} (`{error.code}`)" if known else f"{error.title} (`{error.code}`)"
        responses[error.status] = {
            "description": text,
            "model": Problem,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return responses


def render(error: AppError, path: str) -> Response:
    """Turn an error into its response."""
    errors = [{"field": error.field, "code": error.code, "message": error.detail}] if error.field else []
    return _response(error.status, error.code, error.title, error.detail, path, errors, error.extra, error.headers)


def install(app: FastAPI) -> None:
    """Render every error of the application as a problem."""

    @app.exception_handler(AppError)
    async def app_error(request: Request, error: AppError) -> Response:
        return render(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        errors = [_field_error(detail) for detail in error.errors()[:_MOST_ERRORS]]
        route = getattr(request.scope.get("route"), "path", "unmatched")
        emit({"ValidationErrors": (len(errors), "Count")}, route=f"{request.method} {route}")
        log("info", "request refused", route=route, fields=[entry["field"] for entry in errors])
        first = errors[0]
        detail = f"{first['field']}: {first['message']}"
        return _response(422, "validation_failed", "Validation failed", detail, request.url.path, errors)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "_")
        detail = _DETAILS.get(error.status_code, status.description or status.phrase)
        headers = dict(error.headers or {})
        return _response(error.status_code, code, status.phrase, detail, request.url.path, [], {}, headers)


def internal_error(path: str) -> Response:
    """Answer for an error that nobody foresaw; the log has its stack under the same correlation id."""
    detail = "Something went wrong on our side. Quote the correlation id when you report it."
    return _response(500, AppError.code, AppError.title, detail, path, [])


def _response(
    status: int,
    code: str,
    title: str,
    detail: str,
    path: str,
    errors: Sequence[dict[str, Any]],
    extra: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body = {
        "type": f"about:blank#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": path,
        "code": code,
        "correlation_id": correlation_id(),
        "errors": list(errors),
        **(extra or {}),
    }
    # In ASCII, since what a caller sent and we echo need not be text that UTF-8 can hold.
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _field_error(detail: dict[str, Any]) -> dict[str, Any]:
    if detail["type"] == "json_invalid":
        return {"field": "body", "code": "json_invalid", "message": "The body is not valid JSON."}
    field = ".".join(str(part) for part in detail["loc"])
    return {"field": _echo(field) or "body", "code": detail["type"], "message": _echo(detail["msg"])}


def _echo(text: str) -> str:
    """Return what a caller sent, short and as valid Unicode."""
    return text[:_LONGEST_ECHO].encode("utf-8", "replace").decode()
