"""The wall around HTTP, against hosts that misbehave."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.git_server import GitServer
from projects.sync import hosts
from projects.sync.failures import SyncFailed
from projects.sync.remote import Remote, Selection
from projects.sync.transport import GuardedClient, Limits
from tests.support.remotes import Remote as Written

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def host(answer: Answer) -> Iterator[str]:
    """Serve every GET and POST with `answer`; yields the address of a repository there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_POST = do_GET  # noqa: N815 - the base class names it so

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/a/b.git"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return answer


def client(url: str, *, seconds: float = 10, allow_private: bool = True, **given: object) -> GuardedClient:
    limits = Limits(pack_bytes=int(str(given.pop("pack_bytes", 1 << 20))), seconds=seconds)
    credentials = ("git", "secret") if given.get("token") else None
    return GuardedClient(url, limits, allow_private=allow_private, credentials=credentials)


def failure_of(git: GuardedClient) -> SyncFailed:
    with pytest.raises(SyncFailed) as failed:
        Remote(git).advertised()
    return failed.value


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (status(401, WWW_Authenticate='Basic realm="x"'), "access_denied"),
        (status(403), "repository_not_found"),
        (status(404), "repository_not_found"),
        (status(429), "host_error"),
        (status(500), "host_error"),
        (status(200, Content_Type="text/html"), "not_a_git_repository"),
        (status(302, Location="/login?return=1"), "repository_not_found"),
        (status(302, Location="/a/b.git/info/refs?service=git-upload-pack"), "redirected"),
    ],
)
def test_each_answer_has_a_cause_that_a_person_understands(answer: Answer, code: str) -> None:
    with host(answer) as url:
        assert failure_of(client(url)).code == code


def test_a_wrong_token_is_told_from_a_missing_one() -> None:
    with host(status(401)) as url:
        assert "needs an access token" in failure_of(client(url)).cause
        assert "refused the access token" in failure_of(client(url, token=True)).cause


def test_a_host_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = failure_of(client(f"http://127.0.0.1:{unused.getsockname()[1]}/a"))
    assert (failure.code, failure.transient) == ("host_unreachable", True)


def test_an_unknown_name_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "name is not known" in failure_of(client("http://nowhere.example/a")).cause


def test_no_tls_behind_https_is_said(tmp_path: Path) -> None:
    with host(status(200)) as url:
        assert failure_of(client(url.replace("http:", "https:"))).code == "tls_failed"


def test_a_name_that_resolves_to_loopback_is_never_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        status(200)(handler)

    with host(answer) as url:
        port = int(url.split(":")[2].split("/")[0])
        target = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: target)
        assert failure_of(client(f"http://rebound.example:{port}/a", allow_private=False)).code == "host_refused"
    assert asked == []


def test_the_name_is_resolved_once_and_the_checked_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[str] = []

    def resolve(name: str, port: int, **_: object) -> list[tuple[socket.AddressFamily, str]]:
        resolved.append(name)
        return [(socket.AF_INET, "127.0.0.1")]

    monkeypatch.setattr(hosts, "resolve", resolve)
    with host(status(404)) as url:
        failure_of(client(url.replace("127.0.0.1", "git.example")))
    assert resolved == ["git.example"]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://127.0.0.1:1/a", "http://[::1]/a", "http://localhost/a"]
)
def test_a_redirect_to_a_private_address_is_refused(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = status(302, Location=f"{target}/info/refs?service=git-upload-pack")
    monkeypatch.setattr(hosts, "resolve", lambda *_, **__: [(socket.AF_INET, "127.0.0.1")])
    with host(moved) as url:
        # Judged as in production; only the first connection is led to the test's own host.
        failure = failure_of(client(url, allow_private=False))
    assert failure.code == "host_refused"


def test_credentials_are_not_taken_to_another_host() -> None:
    heard: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers.get("Authorization"))
        status(404)(handler)

    with host(elsewhere) as other:
        moved = status(301, Location=f"{other}/info/refs?service=git-upload-pack")
        with host(moved) as url:
            assert failure_of(client(url, token=True)).code == "redirected"
            assert heard == []
            assert failure_of(client(url)).code == "repository_not_found"
    assert heard == [None]


def test_a_redirect_that_is_fair_is_followed(tmp_path: Path) -> None:
    with GitServer(tmp_path) as server:
        tip = Written(server.create("moved")).commit({b"a": b"a\n"})
        with host(status(301, Location=f"{server.url('moved')}/info/refs?service=git-upload-pack")) as url:
            assert Remote(client(url)).advertised().branches == {"main": tip}


def test_a_host_that_dawdles_is_left_when_the_time_is_over() -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        handler.end_headers()
        try:
            for _ in range(1_000):
                handler.wfile.write(b"0")
                time.sleep(0.05)
        except OSError:
            return

    with host(trickle) as url:
        failure = failure_of(client(url, seconds=0.5))
        assert (failure.code, failure.transient) == ("timed_out", True)


def test_refs_without_end_are_not_read() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        handler.end_headers()
        line = b"003d" + b"a" * 40 + b" refs/heads/branch-x\n"
        try:
            handler.wfile.write(b"001e# service=git-upload-pack\n0000")
            for _ in range(10_000):
                handler.wfile.write(line * 1_000)
        except OSError:
            return

    with host(endless) as url:
        assert failure_of(client(url, seconds=30)).code in {"too_large", "protocol_error"}


@pytest.mark.parametrize("body", [b"", b"garbage", b"0000", b"zzzz", b"001e# service=git-upload-pack\n", b"fff0abc"])
def test_an_answer_that_is_not_the_protocol_is_a_failure(body: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with host(answer) as url:
        assert failure_of(client(url)).code == "protocol_error"


def test_a_pack_over_the_limit_is_stopped_while_it_comes(tmp_path: Path) -> None:
    received = 0

    def write(data: bytes) -> int:
        nonlocal received
        received += len(data)
        return len(data)

    with GitServer(tmp_path) as server:
        remote = Written(server.create("large"))
        remote.commit({b"noise.bin": b"".join(str(n**7).encode() for n in range(300_000))})
        git = Remote(client(server.url("large"), pack_bytes=100_000))
        with pytest.raises(SyncFailed) as failed:
            git.fetch(Selection(), [], lambda _: [], lambda _: False, write)
    assert failed.value.code == "too_large"
    assert received < 300_000


def test_a_token_opens_a_private_repository(tmp_path: Path) -> None:
    with GitServer(tmp_path, token="secret") as server:
        tip = Written(server.create("private")).commit({b"a": b"a\n"})
        assert failure_of(client(server.url("private"))).code == "access_denied"
        assert Remote(client(server.url("private"), token=True)).advertised().branches == {"main": tip}
