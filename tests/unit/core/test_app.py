"""What every API slice gets: errors as problems, a correlation id, and nothing internal told."""

import re
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from almanac.errors import AppError, Conflict, NotFound
from almanac.web.app import Handler, create_app, lambda_handler
from almanac.web.problems import problem_responses
from tests.integration.harness import Answer, Context, request_event


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    sizes: list[int] = []


class Taken(Conflict):
    code = "taken"


@pytest.fixture(scope="module")
def handler() -> Handler:
    app = create_app("test", "test")
    router = APIRouter()

    @router.post("/things")
    async def create_thing(body: Body) -> Body:
        if body.name == "taken":
            raise Taken("Choose another name.", field="body.name", holder="thing_1")
        if body.name == "broken":
            raise RuntimeError("the password is hunter2")
        return body

    @router.get("/things")
    async def list_things(limit: Annotated[int, Query(ge=1)] = 1) -> dict[str, int]:
        return {"limit": limit}

    app.include_router(router)
    return lambda_handler(app)


def call(handler: Handler, method: str, path: str, body: Any = None, **arguments: Any) -> Answer:
    response = handler(request_event(method, path, body, **arguments), Context())
    assert not response["isBase64Encoded"]
    headers = {name.lower(): value for name, value in response["headers"].items()}
    return Answer(response["statusCode"], headers, response["body"])


def test_an_error_of_ours_is_a_problem_with_all_members(handler: Handler) -> None:
    answer = call(handler, "POST", "/things", {"name": "taken"})
    assert answer.status == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank#taken",
        "title": "Conflict",
        "status": 409,
        "detail": "Choose another name.",
        "instance": "/things",
        "code": "taken",
        "correlation_id": answer.headers["x-correlation-id"],
        "errors": [{"field": "body.name", "code": "taken", "message": "Choose another name."}],
        "holder": "thing_1",
    }


def test_an_error_that_nobody_foresaw_tells_nothing_internal(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(handler, "POST", "/things", {"name": "broken"})
    assert (answer.status, answer.json["code"]) == (500, "internal_error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    (logged,) = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
    assert logged["correlation_id"] == answer.json["correlation_id"]


def test_bad_input_names_the_field_and_the_place_in_a_list(handler: Handler) -> None:
    answer = call(handler, "POST", "/things", {"name": "", "sizes": [1, "x"], "colour": 1})
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["body.name", "body.sizes.1", "body.colour"]
    query = call(handler, "GET", "/things", query={"limit": 0})
    assert [error["field"] for error in query.json["errors"]] == ["query.limit"]


def test_no_answer_repeats_more_than_a_little_of_what_was_sent(handler: Handler) -> None:
    many = call(handler, "POST", "/things", {"name": "x", "sizes": ["no"] * 10_000})
    assert (many.status, len(many.json["errors"])) == (422, 50)
    long = call(handler, "POST", "/things", {"name": "x", "k" * 100_000: 1})
    assert len(long.text) < 2_000


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/things/", 404), ("DELETE", "/things", 405)]
)
def test_an_address_that_is_none_is_a_problem_too(handler: Handler, method: str, path: str, status: int) -> None:
    answer = call(handler, method, path)
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_callers_correlation_id_is_kept_when_it_is_one(handler: Handler) -> None:
    kept = call(handler, "GET", "/things", headers={"x-correlation-id": "build-4711"})
    assert kept.headers["x-correlation-id"] == "build-4711"
    for bad in ("short", "x" * 129, "with space", "semi;colon!"):
        replaced = call(handler, "GET", "/things", headers={"x-correlation-id": bad})
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", replaced.headers["x-correlation-id"])


def test_two_requests_have_two_correlation_ids(handler: Handler) -> None:
    ids = {call(handler, "GET", "/things").headers["x-correlation-id"] for _ in range(2)}
    assert len(ids) == 2


def test_the_log_of_a_request_holds_neither_body_nor_headers(
    handler: Handler, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    call(handler, "POST", "/things", {"name": "taken"}, headers={"authorization": "Bearer alm_secret"})
    call(handler, "POST", "/things", {"name": "hunter2", "sizes": ["hunter2"]})
    records = [vars(record) for record in caplog.records]
    requests = [(record["route"], record["status"]) for record in records if record["msg"] == "request"]
    assert requests == [("POST /things", 409), ("POST /things", 422)]
    written = repr(records) + "".join(capfd.readouterr())
    assert "alm_secret" not in written
    assert "hunter2" not in written


def test_errors_that_share_a_status_share_an_entry() -> None:
    class Missing(NotFound):
        code = "missing"

    described = problem_responses(NotFound, Missing, Conflict)
    assert set(described) == {404, 409}
    assert "not_found" in described[404]["description"]
    assert "missing" in described[404]["description"]
    assert issubclass(Missing, AppError)
