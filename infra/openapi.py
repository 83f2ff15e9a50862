"""Merge every slice's OpenAPI document into the committed one, `functions/console/openapi.json`.

`python -m infra.openapi` writes it, `--check` fails when it is stale, `--diff` says what would change.
"""

import argparse
import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from infra.template import ROOT

FUNCTIONS = ROOT / "functions"
DOCUMENT = FUNCTIONS / "console" / "openapi.json"
SLICES = ("identity", "projects", "documents", "webhooks", "search", "realtime", "console")

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PROBLEM = "application/problem+json"
_DESCRIPTION = """Project intelligence that a team runs in its own AWS account.

Send an API key with every call: `Authorization: Bearer alm_...`. Errors are `application/problem+json` (RFC 9457) with
a stable `code`; quote their `correlation_id` when you report one. Lists answer `{"items", "next_cursor"}`; send
`next_cursor` as `cursor` to get the next page."""

Document = dict[str, Any]


class MergeError(Exception):
    """Two slices disagree, or one leaves something out; the text says which."""


def merge(documents: Mapping[str, Document]) -> Document:
    """Return one document over all slices' own; raises `MergeError`."""
    from almanac.web.app import VERSION

    merged: Document = {
        "openapi": next(iter(documents.values()))["openapi"],
        "info": {"title": "Almanac", "description": _DESCRIPTION, "version": VERSION},
        "servers": [{"url": "/"}],
        "tags": [],
        "paths": {},
        "components": {"schemas": _problem_schemas(), "responses": _shared_responses(), "securitySchemes": {}},
    }
    for name, document in documents.items():
        _merge_paths(merged["paths"], document, name)
        for kind in ("schemas", "securitySchemes"):
            _merge_components(merged["components"][kind], document.get("components", {}).get(kind, {}), name)
    for path, method, operation in operations(merged):
        _complete(operation, path, method)
    _refuse_repeated_names(merged)
    descriptions = {name: document["info"]["description"] for name, document in documents.items()}
    tags = dict.fromkeys(tag for _, _, operation in operations(merged) for tag in operation["tags"])
    merged["tags"] = [{"name": tag, **_tag_text(descriptions.get(tag))} for tag in tags]
    merged["components"] = {kind: dict(sorted(members.items())) for kind, members in merged["components"].items()}
    return merged


def operations(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Iterate over (path, method, operation)."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def slice_documents() -> dict[str, Document]:
    """Return the OpenAPI document of every slice that has an API, by name."""
    found = [name for name in SLICES if (FUNCTIONS / name / "app.py").exists()]
    return {name: deepcopy(importlib.import_module(f"{name}.app").app.openapi()) for name in found}


def render(document: Document) -> str:
    """Return the document as the committed text."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def changes(old: Document, new: Document) -> list[str]:
    """Say in one line each what is new, gone or different."""
    lines: list[str] = []
    for kind, before, after in (
        ("operation", _by_route(old), _by_route(new)),
        *(
            (kind.removesuffix("s"), old.get("components", {}).get(kind, {}), new["components"][kind])
            for kind in new["components"]
        ),
    ):
        lines += [f"+ {kind} {name}" for name in after if name not in before]
        lines += [f"- {kind} {name}" for name in before if name not in after]
        lines += [f"~ {kind} {name}" for name in after if name in before and before[name] != after[name]]
    rest = [key for key in new if key not in {"paths", "components"} and old.get(key) != new[key]]
    return lines + [f"~ {key}" for key in rest]


def main() -> int:
    """Write, check or compare the committed document; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail when the committed document is stale")
    parser.add_argument("--diff", action="store_true", help="say what would change and write nothing")
    arguments = parser.parse_args()
    sys.path[:0] = [str(FUNCTIONS), str(ROOT / "layers" / "core")]
    new = merge(slice_documents())
    old = json.loads(DOCUMENT.read_text()) if DOCUMENT.exists() else {"paths": {}}
    lines = changes(old, new)
    print("\n".join(lines) or "nothing changed")
    if not (arguments.check or arguments.diff):
        DOCUMENT.write_text(render(new))
        return 0
    stale = not DOCUMENT.exists() or DOCUMENT.read_text() != render(new)
    if arguments.check and stale:
        print(f"{DOCUMENT.relative_to(ROOT)} is stale: run `make openapi`", file=sys.stderr)
        return 1
    return 0


def _merge_paths(paths: dict[str, Any], document: Document, name: str) -> None:
    for path, item in sorted(document["paths"].items()):
        if path in paths:
            raise MergeError(f"{name}: another slice answers {path} already")
        paths[path] = item
        for method in item:
            item[method].setdefault("tags", [name])


def _merge_components(known: dict[str, Any], members: Mapping[str, Any], name: str) -> None:
    for key, member in members.items():
        if key in {"HTTPValidationError", "ValidationError"}:
            continue
        if known.setdefault(key, member) != member:
            raise MergeError(f"{name}: another slice defines {key} differently")


def _complete(operation: dict[str, Any], path: str, method: str) -> None:
    if not operation.get("description"):
        raise MergeError(f"{method.upper()} {path} has no docstring")
    responses: dict[str, Any] = operation["responses"]
    for status, response in responses.items():
        if int(status) >= 400:
            # FastAPI describes every model as application/json, and bad input by a model of its own.
            response["content"] = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        if status == "422" and response["description"] == "Validation Error":
            response["description"] = "Validation failed (`validation_failed`)"
        if status in {"401", "403"} and operation.get("security"):
            response["content"]["application/json"] = {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}
    for status in _common_statuses(operation, path):
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    operation["responses"] = dict(sorted(responses.items()))


def _common_statuses(operation: Mapping[str, Any], path: str) -> Iterator[str]:
    """Iterate over the statuses that any operation of this form answers with, whatever it does."""
    yield from ("429", "500", "503")
    if "requestBody" in operation:
        yield from ("400", "413")
    if operation.get("security"):
        yield from ("401", "403")
        if "{" in path:
            yield "404"


def _refuse_repeated_names(merged: Document) -> None:
    names = Counter(operation["operationId"] for _, _, operation in operations(merged))
    repeated = sorted(name for name, count in names.items() if count > 1)
    if repeated:
        raise MergeError(f"operation names are not unique: {', '.join(repeated)}")


def _problem_schemas() -> dict[str, Any]:
    from almanac.web.problems import Problem

    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    field_error = schema.pop("$defs")["FieldError"]
    message = {
        "type": "object",
        "title": "GatewayMessage",
        "description": "What API Gateway itself answers before a request reaches the product.",
        "properties": {"message": {"type": ["string", "null"], "title": "Message", "examples": ["Forbidden"]}},
        "required": ["message"],
    }
    return {"Problem": schema, "FieldError": field_error, "GatewayMessage": message}


def _shared_responses() -> dict[str, Any]:
    problem = {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    gateway = {"application/json": {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}}
    return {
        "400": {"description": "The request cannot be read (`bad_request`)", "content": problem | gateway},
        "401": {"description": "No API key was sent (`missing_credentials`)", "content": problem | gateway},
        "403": {"description": "The key is unknown, or its scope is too small", "content": problem | gateway},
        "404": {"description": "Not found (`not_found`)", "content": problem},
        "413": {"description": "Too large (`body_too_large`)", "content": problem | gateway},
        "429": {"description": "Too many requests", "content": gateway},
        "500": {"description": "Internal error (`internal_error`)", "content": problem | gateway},
        "503": {"description": "A dependency does not answer (`unavailable`)", "content": problem | gateway},
    }


def _tag_text(description: str | None) -> dict[str, str]:
    return {"description": description} if description else {}


def _by_route(document: Document) -> dict[str, Any]:
    return {f"{method.upper()} {path}": operation for path, method, operation in operations(document)}


if __name__ == "__main__":
    sys.exit(main())
