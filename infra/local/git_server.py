"""A git host on loopback: bare repositories through the real `git http-backend`, over smart HTTP.

    with GitServer(directory) as server:
        server.url("project")          # http://127.0.0.1:40123/project.git

The demo, the end-to-end tests and the benchmarks sync from it. It speaks what a git host speaks: protocol version 2,
compressed and chunked request bodies, streamed answers, and basic authentication when a token is set.
"""

import base64
import gzip
import hmac
import os
import shutil
import subprocess
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast
from urllib.parse import urlsplit

from infra.local.errors import LocalError
from infra.local.processes import LOOPBACK

CHUNK_BYTES = 65_536


class GitServer:
    """Serves `<directory>/<name>.git`. With a `token`, requests need it as the password of any user."""

    def __init__(self, directory: Path, port: int = 0, token: str | None = None) -> None:
        if shutil.which("git") is None:
            raise LocalError("'git' is missing.", "Install git, then try again.")
        self.directory = directory.resolve()
        self.requests: list[str] = []
        server = self

        class Handler(_GitHandler):
            git_server = server
            password = token

        self._http = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self._http.server_address[1]}"

    def url(self, name: str) -> str:
        """Return the address to clone the repository `<name>.git` from."""
        return f"{self.address}/{name}.git"

    def create(self, name: str, default_branch: str = "main") -> Path:
        """Make an empty bare repository and return its path."""
        path = self.directory / f"{name}.git"
        _git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(path))
        return path

    def publish(self, source: Path, name: str) -> Path:
        """Bring a bare copy of a repository to the state of `source`, branches and all; returns its path."""
        path = self.directory / f"{name}.git"
        if not path.exists():
            self.create(name)
        _git("-C", str(path), "fetch", "--quiet", "--prune", str(source.resolve()), "+refs/heads/*:refs/heads/*")
        head = _git("-C", str(source), "symbolic-ref", "--quiet", "HEAD", check=False)
        if head:
            _git("-C", str(path), "symbolic-ref", "HEAD", head)
        return path

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Block for as long as the server runs."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _git(*arguments: str, check: bool = True) -> str:
    completed = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    if check and completed.returncode != 0:
        raise LocalError(f"git {arguments[0]} failed: {completed.stderr.strip()}", "Look at the repository's path.")
    return completed.stdout.strip()


class _GitHandler(BaseHTTPRequestHandler):
    """One request to `git http-backend` by the common gateway interface (RFC 3875)."""

    protocol_version = "HTTP/1.1"
    git_server: GitServer
    password: str | None

    def do_GET(self) -> None:
        self._run(None)

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            self._refuse(400, "unreadable request body")
            return
        self._run(body)

    def _run(self, body: bytes | None) -> None:
        if not self._is_authorized():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.git_server.requests.append(f"{self.command} {self.path}")
        process = subprocess.Popen(
            ["git", "http-backend"],  # noqa: S607 (git is where the system has it)
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment(len(body or b"")),
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("git http-backend started without pipes")
        # Fed from a thread: git may answer, and fill its pipe, before it has read everything.
        feeder = threading.Thread(target=_feed, args=(process.stdin, body or b""), daemon=True)
        feeder.start()
        try:
            self._answer(cast("BufferedReader", process.stdout))
        finally:
            process.stdout.close()
            process.wait()
            feeder.join()

    def _answer(self, answer: BufferedReader) -> None:
        status, headers = 200, []
        while line := answer.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while chunk := answer.read1(CHUNK_BYTES):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _environment(self, length: int) -> dict[str, str]:
        address = urlsplit(self.path)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.git_server.directory),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_CONFIG_KEY_1": "http.receivepack",
            "GIT_CONFIG_VALUE_1": "true",
            "GIT_PROJECT_ROOT": str(self.git_server.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": address.path,
            "QUERY_STRING": address.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "REMOTE_ADDR": self.client_address[0],
        }
        if "Git-Protocol" in self.headers:
            environment["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        return environment

    def _body(self) -> bytes | None:
        """Return the request's body, unchunked and decompressed; None when it is malformed."""
        try:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                body = self._chunks()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") in {"gzip", "x-gzip"} else body
        except (ValueError, OSError, EOFError, zlib.error):
            return None

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _is_authorized(self) -> bool:
        if self.password is None:
            return True
        scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(credentials, validate=True).partition(b":")[2]
        except ValueError:
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self.password.encode())

    def _refuse(self, status: int, reason: str) -> None:
        self.close_connection = True
        self.send_error(status, reason)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """Stay silent: `GitServer.requests` is the log."""


def _feed(pipe: IO[bytes], body: bytes) -> None:
    try:
        pipe.write(body)
        pipe.close()
    except BrokenPipeError:
        return
