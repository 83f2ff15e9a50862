"""The API over HTTP: problems become `CliError`s that say what to do."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from almanac_cli.config import Config
from almanac_cli.errors import CliError, Exit
from almanac_cli.sign_in import AsPerson, is_local

TIMEOUT_SECONDS = 45.0
PATIENCE_SECONDS = 60.0
"""How long a call that came too early waits for its turn in all."""
PAGE = 100

_STATUS = {401: Exit.UNAUTHORIZED, 403: Exit.UNAUTHORIZED, 404: Exit.NOT_FOUND, 503: Exit.UNREACHABLE}
_WAY_OUT = {
    401: "Run 'almanac login'; 'almanac login --local' makes a key for the local stack.",
    403: "Log in as somebody who may; 'almanac tenants use ten_...' chooses among several tenants. "
    "For a delivery, use the repository's own secret.",
    404: "Check the id: 'almanac projects list' and 'almanac repositories list' show what there is.",
    409: "Someone changed it meanwhile, or it exists already: look at it, then try again.",
    413: "Send less at once.",
    422: "Mend the field named above.",
    429: "Wait a moment, then try again.",
    503: "Try again in a moment; 'almanac health --deep' tells which part is missing.",
}

Document = dict[str, Any]


class Api:
    """A connection to one API, with a key or as a person; as nobody without either."""

    def __init__(self, url: str, api_key: str = "", person: AsPerson | None = None) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise CliError(f"'{url}' is not an http or https address.", "Give --url, or 'almanac login'.", Exit.USAGE)
        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # A local stack is never behind the proxy that the environment names.
        trusted = not is_local(url)
        self._http = httpx.Client(
            base_url=self.url, headers=headers, auth=person, timeout=TIMEOUT_SECONDS, trust_env=trusted
        )

    @classmethod
    def from_config(cls, config: Config) -> "Api":
        """Connect as the configuration says; raises `CliError` when nobody has logged in."""
        if config.url and config.api_key:
            return cls(config.url, config.api_key)
        if config.url and config.session:
            return cls(config.url, person=AsPerson(config.url, config.session, config.tenant_id))
        raise CliError(
            "Nobody is logged in.",
            "'almanac login --url ADDRESS', or 'almanac login --local' for the local stack.",
            Exit.UNAUTHORIZED,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer's document, None when it has none; raises `CliError`."""
        answer = self._answer(method, path, body=body, content=content, query=query, headers=headers)
        return answer.json() if answer.content else None

    def text(self, path: str, **query: Any) -> str:
        """Return an answer that is no document but text."""
        return self._answer("GET", path, query=query).text

    def _answer(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        sent: dict[str, Any] = (
            {"content": content} if content is not None else {"json": body} if body is not None else {}
        )
        try:
            answer = _in_turn(
                lambda: self._http.request(method, path, params=given, headers=dict(headers or {}), **sent)
            )
        except httpx.TimeoutException:
            raise CliError(f"{self.url} did not answer in time.", _WAY_OUT[503], Exit.UNREACHABLE) from None
        except httpx.HTTPError as error:
            raise CliError(
                f"{self.url} cannot be reached: {error}",
                "Check the address; 'almanac up' starts the local stack.",
                Exit.UNREACHABLE,
            ) from None
        if answer.is_success:
            return answer
        raise _refusal(answer)

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.request("POST", path, body=body)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("PATCH", path, body=body)

    def delete(self, path: str, **query: Any) -> None:
        self.request("DELETE", path, query=query)

    def items(self, path: str, **query: Any) -> Iterator[Document]:
        """Iterate over a whole list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, limit=PAGE, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return


def _in_turn(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send, and again when the API says that there is room: nothing was done of a call that it had no room for."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = send()
        asked = answer.headers.get("retry-after", "")
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS or not asked.isdigit():
            return answer
        # Spread out: those that were refused together would come together again.
        pause = int(asked) + random.uniform(0.0, 1.0)  # noqa: S311 - no secret
        if time.monotonic() + pause > until:
            return answer
        time.sleep(pause)


def _refusal(answer: httpx.Response) -> CliError:
    try:
        problem = answer.json()
        detail = str(problem.get("detail") or problem.get("message") or answer.reason_phrase)
    except (ValueError, AttributeError):
        problem, detail = {}, f"{answer.status_code} {answer.reason_phrase}"
    kept = ("type", "title", "code", "errors", "correlation_id", "oldest")
    fields = {"status": answer.status_code, **{name: problem[name] for name in kept if name in problem}}
    fallback = (
        "Try again; if it goes on, report the correlation id." if answer.status_code >= 500 else "Look at --help."
    )
    return CliError(
        detail,
        _WAY_OUT.get(answer.status_code, fallback),
        _STATUS.get(answer.status_code, Exit.API_ERROR),
        fields,
    )
