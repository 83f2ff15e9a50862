"""The documentation's pages: from our own package, under a policy that lets nothing else in."""

import base64
import gzip
import importlib
import re

import pytest

from console import assets
from tests.integration.harness import Context, Stack, request_event

ASSETS = ["docs.js", "redoc.css", "swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js"]


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_page_loads_only_files_that_we_serve(stack: Stack, page: str) -> None:
    answer = stack.call("console", "GET", f"/{page}")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    files = [address.removeprefix("docs/assets/").partition("?")[0] for address in addresses if address != "data:,"]
    assert files
    for file in files:
        assert stack.call("console", "GET", f"/docs/assets/{file}").status == 200


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_page_runs_no_script_but_ours(stack: Stack, page: str) -> None:
    answer = stack.call("console", "GET", f"/{page}")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "<script>" not in answer.text


@pytest.mark.parametrize("file", ASSETS)
def test_an_asset_is_served_whole_compressed_or_not(stack: Stack, file: str) -> None:
    plain = stack.call("console", "GET", f"/docs/assets/{file}")
    event = request_event("GET", f"/docs/assets/{file}", headers={"accept-encoding": "gzip, br"})
    answer = importlib.import_module("console.app").handler(event, Context())
    assert answer["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(answer["body"])).decode() == plain.text
    assert plain.headers["content-type"].startswith("text/")
    assert "max-age" in plain.headers["cache-control"]


def test_every_answer_fits_through_api_gateway() -> None:
    for file in ASSETS:
        asset = assets.asset(file)
        assert asset is not None
        assert len(asset.body) < 5 * 1024 * 1024


@pytest.mark.parametrize("file", ["..%2Fapp.py", "..", "openapi.json", "swagger-ui-bundle.js.map", "docs.html"])
def test_nothing_but_the_listed_files_is_served(stack: Stack, file: str) -> None:
    answer = stack.call("console", "GET", f"/docs/assets/{file}")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_document_names_this_stacks_address(stack: Stack) -> None:
    answer = stack.call("console", "GET", "/openapi.json")
    assert answer.json["servers"] == [{"url": stack.environment["ALMANAC_PUBLIC_URL"]}]
    assert "/api/v1/api-keys" in answer.json["paths"]
