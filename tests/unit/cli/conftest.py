"""An API that answers what a test tells it to, and the command line against it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from almanac_cli.config import Config
from almanac_cli.main import app

TENANT = {"id": "ten_1", "name": "Acme"}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeApi:
    """Answers are taken in turn, the last one again and again."""

    url: str = ""
    answers: dict[tuple[str, str], list[tuple[int, Any]]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, method: str, path: str, *documents: Any, status: int = 200) -> None:
        self.answers[method, path] = [(status, document) for document in documents]

    def items(self, path: str, *items: Any) -> None:
        self.answer("GET", path, {"items": list(items), "next_cursor": None})

    def sent(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            address = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.requests.append(Request(self.command, address.path, parse_qs(address.query), headers, body))
            queue = fake.answers.get((self.command, address.path))
            status, document = (404, {"detail": "There is nothing.", "code": "not_found"}) if not queue else queue[0]
            if queue and len(queue) > 1:
                queue.pop(0)
            text = document if isinstance(document, bytes) else json.dumps(document).encode()
            text = b"" if document is None else text
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            for name, value in fake.headers.get(address.path, {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the base class names them so

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    fake.answer("GET", "/api/v1/tenants/me", TENANT)
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()


class Cli:
    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin)

    def json(self, *arguments: str) -> Any:
        """Run with `--json` and return the document; fails when the command does."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ALMANAC_URL", "ALMANAC_API_KEY", "ALMANAC_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config" / "config.toml"
    monkeypatch.setenv("ALMANAC_CONFIG", str(path))
    return path


@pytest.fixture
def cli(api: FakeApi, config_file: Path) -> Cli:
    """Return a command line that is logged in to the fake API."""
    Config(url=api.url, api_key="alm_key", tenant_id="ten_1").save()
    return Cli()
