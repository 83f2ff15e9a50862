"""Calling as a person: the access token is renewed before it ends, and once when it is refused.

Commands that run at once share one session. Each refresh token is good for one use, so whoever renews holds the
file's lock, and first looks whether another command has renewed meanwhile.
"""

import time
from collections.abc import Generator
from typing import Any
from urllib.parse import urlsplit

import httpx

from almanac_cli import config
from almanac_cli.config import Config, Session
from almanac_cli.errors import CliError, Exit

TENANT_HEADER = "x-almanac-tenant"
EARLY_SECONDS = 60
"""So long before its end a token is renewed: a call must not outlive it."""

_TIMEOUT_SECONDS = 45.0


class AsPerson(httpx.Auth):
    """Signs requests with a person's access token."""

    requires_response_body = True

    def __init__(self, url: str, session: Session, tenant_id: str = "") -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._tenant_id = tenant_id

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request; a refused token is renewed and the request sent once more."""
        if self._session.expires_at - time.time() < EARLY_SECONDS:
            self._renew()
        response = yield self._signed(request)
        if _is_refused(response):
            self._renew()
            yield self._signed(request)

    def _signed(self, request: httpx.Request) -> httpx.Request:
        request.headers["authorization"] = f"Bearer {self._session.access_token}"
        if self._tenant_id:
            request.headers[TENANT_HEADER] = self._tenant_id
        return request

    def _renew(self) -> None:
        """Take the session that another command has renewed, or renew it; raises `CliError` when it is over."""
        with config.locked():
            stored = Config.stored()
            known = stored.session
            if known is None:
                raise _over()
            if known.access_token != self._session.access_token and known.expires_at - time.time() >= EARLY_SECONDS:
                self._session = known
                return
            answer = _post(self._url, "refresh", {"refresh_token": known.refresh_token})
            if answer.status_code in {400, 401, 403, 422}:
                stored.session = None
                stored.save()
                raise _over()
            answer.raise_for_status()
            self._session = stored.session = opened(known.email, answer.json())
            stored.save()


def opened(email: str, document: dict[str, Any]) -> Session:
    """Return the session that signing in or refreshing was answered with."""
    return Session(
        email=email,
        access_token=document["access_token"],
        expires_at=int(time.time()) + document["expires_in"],
        refresh_token=document["refresh_token"],
    )


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine: such a stack is never behind the proxy of the environment."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _post(url: str, step: str, body: dict[str, Any]) -> httpx.Response:
    with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=not is_local(url)) as http:
        return http.post(f"{url}/api/v1/auth/{step}", json=body)


def _is_refused(response: httpx.Response) -> bool:
    """Tell whether nobody knew the token: the gateway says so with a 401 or 403 that is no problem of the API's."""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return True
    if response.status_code != httpx.codes.FORBIDDEN:
        return False
    try:
        return "code" not in response.json()
    except (ValueError, TypeError):
        return True


def _over() -> CliError:
    return CliError("The session is over.", "Sign in again: 'almanac login'.", Exit.UNAUTHORIZED)
