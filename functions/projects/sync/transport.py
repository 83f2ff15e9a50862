"""HTTP to git hosts, walled in: every connection goes to an address that was checked, every redirect is judged like the
address it replaces, credentials stay with the host they were given for, and bytes and time are bounded.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

import urllib3
from dulwich.client import AbstractHttpGitClient
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, make_headers

from projects.sync import failures, hosts

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
MAX_REDIRECTS = 3
MAX_REFS_BYTES = 32 << 20
USER_AGENT = "git/2.0 (almanac)"
_TRAILER_BYTES = 1 << 16
_REDIRECTS = {301, 302, 303, 307, 308}
_ADVERTISEMENT = "info/refs?service=git-upload-pack"
_PACK_SERVICE = "/git-upload-pack"


@dataclass
class Limits:
    """What one conversation with a host may cost: bytes of packs, and seconds from now."""

    pack_bytes: int
    seconds: float
    ends: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends = monotonic() + self.seconds

    @property
    def remaining(self) -> float:
        return self.ends - monotonic()


class GuardedClient(AbstractHttpGitClient):
    """dulwich's smart HTTP client over the guarded transport. Only fetches; used by one thread at a time."""

    def __init__(
        self, url: str, limits: Limits, *, allow_private: bool, credentials: tuple[str, str] | None = None
    ) -> None:
        super().__init__(url)
        self._url = url
        self._limits = limits
        self._allow_private = allow_private
        self._authorization: str | None = None
        if credentials is not None:
            self._authorization = make_headers(basic_auth=":".join(credentials))["authorization"]
        self._base = url.rstrip("/") + "/"
        self._handles: list[socket.socket] = []
        self._answers: list[Any] = []
        self._pool = urllib3.PoolManager(headers={"User-Agent": USER_AGENT}, maxsize=4)
        self._pool.pool_classes_by_scheme = {"http": self._plain_pool(), "https": self._tls_pool()}
        self.expired = False

    @property
    def url(self) -> str:
        return self._url

    @property
    def host(self) -> str:
        return urlsplit(self._base).hostname or ""

    @contextmanager
    def conversation(self) -> Iterator["GuardedClient"]:
        """Hold the client to its time: when it is over, its sockets are shut, whatever the host is sending."""
        timer = threading.Timer(max(0.0, self._limits.remaining), self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield self
        finally:
            timer.cancel()
            self._close_connections()
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def _close_connections(self) -> None:
        for answer in self._answers:
            answer.close()
        self._answers.clear()
        for key in self._pool.pools.keys():  # noqa: SIM118 - it has no other way to be walked
            if (pool := self._pool.pools.get(key)) is not None:
                pool.close()
        self._pool.clear()

    def _expire(self) -> None:
        self.expired = True
        for handle in list(self._handles):
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def _get_url(self, path: str | bytes) -> str:
        del path
        return self._base

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> Any:
        """Answer dulwich with a response and a bounded way to read it; raises `SyncFailed`."""
        del raise_for_status
        self._require_git_request(url)
        target = url
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(target, dict(headers or {}), data)
            if answer.status not in _REDIRECTS:
                break
            answer.close()
            target = self._follow(target, answer.headers.get("Location", ""), is_refs=data is None)
        else:
            raise failures.redirected(self._url, "one address after another")
        self._require_success(answer, target)
        limit = MAX_REFS_BYTES if data is None else self._limits.pack_bytes
        answer.content_type = answer.headers.get("Content-Type")
        answer.redirect_location = target if target != url else ""
        if target != url:
            self._base = target.removesuffix(_ADVERTISEMENT)
        if data is None and not (answer.content_type or "").startswith("application/x-git-upload-pack-adv"):
            answer.close()
            raise failures.not_a_repository(self._url)
        answer.close = _drained(answer)
        self._answers.append(answer)
        return answer, self._bounded(answer.read, limit)

    def _require_git_request(self, url: str) -> None:
        """Refuse what a host asks dulwich to fetch from elsewhere (pack files by address)."""
        if not url.startswith(self._base) or not url.endswith((_ADVERTISEMENT, _PACK_SERVICE)):
            raise failures.protocol_error(self.host)

    def _send(self, url: str, headers: dict[str, str], data: Any) -> Any:
        headers["Pragma"] = "no-cache"
        if self._authorization is not None and hosts.origin(url) == hosts.origin(self._url):
            headers["Authorization"] = self._authorization
        seconds = max(0.001, self._limits.remaining)
        timeout = Timeout(connect=min(CONNECT_SECONDS, seconds), read=min(READ_SECONDS, seconds))
        host = urlsplit(url).hostname or ""
        with self._translated(host):
            return cast("Any", self._pool).request(
                "GET" if data is None else "POST",
                url,
                headers={"User-Agent": USER_AGENT, **headers},
                body=data,
                timeout=timeout,
                redirect=False,
                retries=False,
                preload_content=False,
            )

    def _follow(self, url: str, location: str, *, is_refs: bool) -> str:
        """Return where a redirect leads; only the first request of a conversation may be redirected."""
        target = urljoin(url, location)
        if not is_refs:
            raise failures.redirected(self._url, target[:200])
        if not target.endswith(_ADVERTISEMENT):
            # Sent to a page for people: to log in, mostly, which is how some hosts say that there is nothing to see.
            raise failures.not_found(self._url)
        moved = target.removesuffix(_ADVERTISEMENT)
        try:
            checked = hosts.check_url(moved, allow_private=self._allow_private)
        except hosts.UnsuitableUrl:
            raise failures.refused_host(urlsplit(target).hostname or "without a name") from None
        if urlsplit(url).scheme == "https" and urlsplit(checked).scheme != "https":
            raise failures.redirected(self._url, "an address without TLS")
        if self._authorization is not None and hosts.origin(checked) != hosts.origin(self._url):
            raise failures.redirected(self._url, checked)
        return f"{checked}/{_ADVERTISEMENT}"

    def _require_success(self, answer: Any, url: str) -> None:
        if answer.status == 200:
            return
        answer.close()
        if answer.status == 401:
            raise failures.access_denied(self._url, with_token=self._authorization is not None)
        if answer.status in {403, 404, 410}:
            raise failures.not_found(self._url)
        raise failures.host_error(urlsplit(url).hostname or "", answer.status)

    def _bounded(self, read: Callable[[int], bytes], limit: int) -> Callable[[int], bytes]:
        taken = 0

        def bounded(size: int) -> bytes:
            nonlocal taken
            with self._translated(self.host):
                data = read(size)
            taken += len(data)
            if taken > limit:
                raise failures.too_large("What the host sends", f"{limit >> 20} MB")
            return data

        return bounded

    @contextmanager
    def _translated(self, host: str) -> Iterator[None]:
        """Turn what can go wrong on the wire into causes."""
        if self.expired or self._limits.remaining <= 0:
            raise failures.timed_out(host)
        try:
            yield
        except hosts.RefusedHost as error:
            raise failures.refused_host(str(error)) from None
        except (HTTPError, OSError) as error:
            if self.expired:
                raise failures.timed_out(host) from error
            raise _cause(host, error) from error

    def _plain_pool(self) -> type[HTTPConnectionPool]:
        client = self

        class Connection(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return client._connect(self)

        class Pool(HTTPConnectionPool):
            ConnectionCls = Connection

        return Pool

    def _tls_pool(self) -> type[HTTPSConnectionPool]:
        client = self

        class Connection(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return client._connect(self)

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        return Pool

    def _connect(self, connection: HTTPConnection) -> socket.socket:
        """Open a socket to a checked address of the connection's host. TLS still verifies the name."""
        seconds = max(0.001, min(CONNECT_SECONDS, self._limits.remaining))
        try:
            targets = hosts.resolve(connection.host, connection.port, allow_private=self._allow_private)
        except socket.gaierror as error:
            raise NameResolutionError(connection.host, connection, error) from error
        problem: OSError | None = None
        for family, address in targets:
            opened = socket.socket(family, socket.SOCK_STREAM)
            opened.settimeout(seconds)
            try:
                opened.connect((address, connection.port))
            except OSError as error:
                opened.close()
                problem = error
                continue
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A handle of our own: TLS takes the socket itself over, and no longer answers to it.
            self._handles.append(opened.dup())
            return opened
        if isinstance(problem, TimeoutError):
            raise ConnectTimeoutError(connection, "no address answers in time") from problem
        raise NewConnectionError(connection, f"no address answers: {problem}") from problem


def _drained(answer: Any) -> Callable[[], None]:
    """Return a `close` that reads the few bytes behind the last packet first: the connection can then be used again."""
    close = answer.close

    def drained() -> None:
        if not answer.closed:
            with suppress(HTTPError, OSError):
                answer.read(_TRAILER_BYTES)
        close()

    return drained


def _cause(host: str, error: Exception) -> failures.SyncFailed:
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, NameResolutionError):
        return failures.unreachable(host, reason="its name is not known")
    if isinstance(error, SSLError):
        return failures.tls_failed(host)
    if isinstance(error, NewConnectionError):
        return failures.unreachable(host)
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError | TimeoutError):
        return failures.timed_out(host)
    return failures.protocol_error(host)
