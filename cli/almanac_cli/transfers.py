"""Files to and from the store, over addresses that it signed: whole forms, or parts at once, each tried again.

Nothing of the API's credentials goes along: the address is all that the store needs.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx

from almanac_cli.client import Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.sign_in import is_local

ATTEMPTS = 4
PARTS_AT_ONCE = 4
_FIRST_PAUSE_SECONDS = 0.5
_TIMEOUT = httpx.Timeout(300.0, connect=20.0)
_BLOCK = 1024 * 1024

Told = Callable[[int], None]
"""Is told how many bytes of a file have gone; fewer than before when something is sent again."""


def sha256_of(path: Path, told: Told) -> str:
    """Return the hash of a file, in hex; raises `OSError`."""
    digest, read = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            read += len(block)
            told(read)
    return digest.hexdigest()


def post_form(upload: Document, path: Path, told: Told) -> None:
    """Send a file as the form that the store signed; raises `CliError`."""
    with _client(upload["url"]) as client:

        def send() -> httpx.Response:
            with path.open("rb") as file:
                counted = _Counted(file, told)
                # The store reads the fields before the file, and nothing after it.
                return client.post(upload["url"], data=upload["fields"], files={"file": (path.name, counted)})  # type: ignore[dict-item]

        _tried(send)


def put_parts(upload: Document, path: Path, told: Told) -> list[Document]:
    """Send a file in parts, several at once; returns what completing the upload asks for. Raises `CliError`."""
    part_size = int(upload["part_size"])
    progress = _Sum(told)
    with _client(upload["parts"][0]["url"]) as client, ThreadPoolExecutor(PARTS_AT_ONCE) as pool:

        def send(part: Document) -> Document:
            piece = _Piece(path, (int(part["number"]) - 1) * part_size, int(part["size"]))
            answer = _tried(lambda: _put(client, part["url"], piece, progress.of(part["number"])))
            return {"number": part["number"], "etag": answer.headers["etag"]}

        return list(pool.map(send, upload["parts"]))


def fetch(url: str, target: Path, told: Told) -> int:
    """Write what lies at an address to a file that does not exist yet; returns its size. Raises `CliError`."""
    aside = target.with_name(target.name + ".part")

    def receive() -> httpx.Response:
        with _client(url) as client, client.stream("GET", url) as answer:
            if answer.is_success:
                with aside.open("wb") as file:
                    for block in answer.iter_bytes(_BLOCK):
                        file.write(block)
                        told(file.tell())
            return answer

    _tried(receive)
    aside.replace(target)
    return target.stat().st_size


@dataclass(frozen=True)
class _Piece:
    """Bytes of a file, read while they are sent."""

    path: Path
    first: int
    length: int

    def blocks(self, told: Told) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(self.first)
            sent = 0
            while sent < self.length and (block := file.read(min(_BLOCK, self.length - sent))):
                sent += len(block)
                yield block
                told(sent)


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, told: Told) -> None:
        self._file = file
        self._told = told

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._told(self._file.tell())
        return block

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _Sum:
    """Adds up what the parts of a file have sent."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._sent: dict[int, int] = {}
        self._lock = threading.Lock()

    def of(self, part: int) -> Told:
        def note(sent: int) -> None:
            with self._lock:
                self._sent[part] = sent
                self._told(sum(self._sent.values()))

        return note


def _put(client: httpx.Client, url: str, piece: _Piece, told: Told) -> httpx.Response:
    return client.put(url, content=piece.blocks(told), headers={"content-length": str(piece.length)})


def _client(url: str) -> httpx.Client:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise CliError("The store's address is not an http or https address.", "Look at the stack's settings.")
    return httpx.Client(timeout=_TIMEOUT, trust_env=not is_local(url))


def _tried(send: Callable[[], httpx.Response]) -> httpx.Response:
    """Send until the store takes it or refuses it for good; raises `CliError`."""
    pause = _FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = send()
        except httpx.TransportError as error:
            refusal = CliError(f"The store cannot be reached: {error}", "Try again.", Exit.UNREACHABLE)
        else:
            if answer.is_success:
                return answer
            refusal = CliError(f"The store answered {answer.status_code}.", _way_out(answer.status_code))
            if answer.status_code < 500 and answer.status_code not in {408, 429}:
                break
        if attempt < ATTEMPTS:
            time.sleep(pause)
            pause *= 2
    raise refusal


def _way_out(status: int) -> str:
    if status in {400, 403}:
        return "The file may have changed while it was sent, or the address is too old: send it again."
    return "Try again in a moment."
