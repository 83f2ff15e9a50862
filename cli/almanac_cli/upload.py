"""`almanac upload`: files become searchable documents, each with its own bar."""

import mimetypes
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from almanac_cli import collections, projects, transfers
from almanac_cli.bars import Bar, Stoppable, Stopped, bars
from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.feed import POLL_SECONDS, Feed, passes
from almanac_cli.output import AsJson, connected, escape, show
from almanac_cli.people import ask

app = typer.Typer()

DOCUMENTS = "/api/v1/documents"
WORKING = frozenset({"awaiting", "processing"})
READY = frozenset({"ready", "partial"})
SENT_AT_ONCE = 4
_FILES_AT_ONCE = 16
_QUIET_SECONDS = 2.0
_PAUSES = (1.0, 4.0)
_LOCKED = frozenset({"encrypted", "wrong_password"})


@dataclass(frozen=True)
class Wish:
    """What the options ask for, of every file alike."""

    about: Document
    document: str | None
    wait: bool
    password: str | None
    deadline: float


@app.command()
def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files to upload.")],
    project: Annotated[str | None, typer.Option(help="The project that they belong to: its id or name.")] = None,
    collection: Annotated[str | None, typer.Option(help="The collection that they go into: its id or name.")] = None,
    document_type: Annotated[str | None, typer.Option("--type", help="What they are: contract, minutes...")] = None,
    title: Annotated[str | None, typer.Option(help="The title; without it, the file's name.")] = None,
    document: Annotated[str | None, typer.Option(help="The file is a new version of this document (doc_...).")] = None,
    password_prompt: Annotated[
        bool, typer.Option("--password-prompt", help="Ask for the password of encrypted files.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when they are searchable, or have failed.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Upload files; what is there already is recognised and not sent again.

    Ends with 0 when all of them were taken (with --wait: are searchable, as far as they can be read), with 1 when one
    was not; its cause is told.
    """
    with connected(as_json) as api:
        if len(files) > 1 and (title or document):
            raise CliError("A title or a document is given for several files.", "Upload that file alone.", Exit.USAGE)
        if document and (project or collection or title or document_type):
            raise CliError("A new version keeps its document's place, title and type.", "Leave them out.", Exit.USAGE)
        about = _about(api, project, collection, {"document_type": document_type, "title": title})
        password = ask("Password", hidden=True) if password_prompt else None
        wish = Wish(about, document, wait or password_prompt, password, time.monotonic() + timeout)
        results = _uploaded(api, files, wish, quiet=as_json)
        show({"items": results}, as_json, *(line for result in results for line in _lines(result)))
        if failed := [result for result in results if "error" in result]:
            timed_out = all(result["error"]["code"] == "timeout" for result in failed)
            raise typer.Exit(Exit.TIMEOUT if timed_out else Exit.API_ERROR)


def followed(api: Api, document_id: str, bar: Bar, deadline: float) -> Document:
    """Follow a document's job to its end; raises `CliError` when it did not end in time."""
    path = f"{DOCUMENTS}/{document_id}"
    found: Document = api.get(path)
    bar.job(found)
    with closing(_news(api, document_id)) as news:
        while _is_working(found):
            if time.monotonic() > deadline:
                way_out = f"It goes on: 'almanac documents show {document_id}', or a longer --timeout."
                raise CliError(f"{document_id} is still {found['state']}.", way_out, Exit.TIMEOUT)
            event = next(news)
            data = (event or {}).get("data") or {}
            if data.get("state") not in WORKING:
                data = found = _looked_at(api, path, found)
            bar.job(data)
    return found


def _looked_at(api: Api, path: str, before: Document) -> Document:
    """Return a document as it is now, or as it was before while the API is away."""
    try:
        found: Document = api.get(path)
    except CliError as error:
        if not passes(error):
            raise
        return before
    return found


def _is_working(document: Document) -> bool:
    """Tell whether a job goes on, or a file of an earlier version's document is still to arrive."""
    return document["state"] in WORKING or bool(document.get("upload"))


def _news(api: Api, document_id: str) -> Generator[Document | None]:
    """Give the document's events, and None whenever it should be looked at: for ever, with or without a socket."""
    try:
        yield from Feed(api, f"document:{document_id}").events(seconds=_QUIET_SECONDS)
    except CliError:
        while True:
            time.sleep(POLL_SECONDS)
            yield None


def _uploaded(api: Api, files: list[Path], wish: Wish, *, quiet: bool) -> list[Document]:
    sending, stopped = threading.Semaphore(SENT_AT_ONCE), threading.Event()
    with bars(quiet) as new_bar, ThreadPoolExecutor(min(len(files), _FILES_AT_ONCE)) as pool:

        def run(file: Path) -> Document:
            bar = Stoppable(new_bar(file.name), stopped)
            result: Document = {"file": str(file)}
            try:
                with sending:
                    result |= _sent(api, file, wish, bar)
                if wish.wait:
                    result["document"] = _ended(api, result["document"], wish, bar)
                    result |= _failure(result["document"])
            except CliError as error:
                result["error"] = error.document()
            except OSError as error:
                problem = CliError(f"{file}: {error.strerror or error}.", "Check the path.", Exit.USAGE)
                result["error"] = problem.document()
            bar.end("failed" if "error" in result else "duplicate" if result.get("duplicate") else "done")
            return result

        try:
            return list(pool.map(run, files))
        except BaseException:
            # Those that have begun would otherwise be waited for, for as long as they take.
            stopped.set()
            raise


def _sent(api: Api, file: Path, wish: Wish, bar: Bar) -> Document:
    """Bring a file to the store, unless its bytes are there; returns the document and whether it is a duplicate."""
    if not file.is_file() and file.exists():
        raise CliError(f"{file} is no file.", "Name the files in it.", Exit.USAGE)
    size = file.stat().st_size
    sha256 = transfers.sha256_of(file, lambda done: bar.moved("hashing", done, size))
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    body = {**wish.about, "filename": file.name, "content_type": kind, "size": size, "sha256": sha256}
    answer = _expected(api, wish, body)
    document = answer["document"]
    if answer.get("duplicate"):
        return {"document": document, "duplicate": True}
    address = f"{DOCUMENTS}/{document['id']}/upload"
    try:
        if answer["upload"]["mode"] == "multipart":
            parts = transfers.put_parts(answer["upload"], file, lambda done: bar.moved("sending", done, size))
            document = api.post(f"{address}/complete", {"parts": parts})
        else:
            transfers.post_form(answer["upload"], file, lambda done: bar.moved("sending", done, size))
    except (CliError, OSError, Stopped):
        _given_up(api, address)
        raise
    return {"document": document, "duplicate": False}


def _expected(api: Api, wish: Wish, body: Document) -> Document:
    """Have a document expect the file. Of a new one, an answer that was lost is asked for again, by the same key."""
    if wish.document:
        return dict(api.post(f"{DOCUMENTS}/{wish.document}/versions", body))
    key = {"idempotency-key": str(uuid4())}
    for pause in _PAUSES:
        try:
            return dict(api.request("POST", DOCUMENTS, body=body, headers=key))
        except CliError as error:
            if not passes(error):
                raise
        time.sleep(pause)
    return dict(api.request("POST", DOCUMENTS, body=body, headers=key))


def _given_up(api: Api, address: str) -> None:
    """Tell that the file will not come; one that nobody tells of expires by itself."""
    try:
        api.delete(address)
    except CliError:
        return


def _ended(api: Api, document: Document, wish: Wish, bar: Bar) -> Document:
    found = followed(api, document["id"], bar, wish.deadline)
    if wish.password and (found.get("cause") or {}).get("code") in _LOCKED:
        api.post(f"{DOCUMENTS}/{document['id']}/reprocess", {"password": wish.password})
        found = followed(api, document["id"], bar, wish.deadline)
    return found


def _failure(document: Document) -> Document:
    if document["state"] in READY:
        return {}
    cause = document.get("cause") or {"code": document["state"], "message": f"It ended as {document['state']}."}
    way_out = cause.get("way_out") or f"'almanac documents show {document['id']}' tells more."
    return {"error": CliError(cause["message"], way_out, fields={"code": cause["code"]}).document()}


def _about(api: Api, project: str | None, collection: str | None, about: dict[str, Any]) -> Document:
    if project:
        about["project_id"] = projects.resolve(api, project)["id"]
    if collection:
        about["collection_id"] = collections.resolve(api, collection)["id"]
    return {name: value for name, value in about.items() if value}


def _lines(result: Document) -> list[str]:
    file = escape(result["file"])
    if error := result.get("error"):
        way_out = [f"  {escape(error['way_out'])}"] if error.get("way_out") else []
        return [f"[red]{file}: {escape(error['detail'])}[/red]", *way_out]
    document = result["document"]
    if result["duplicate"]:
        return [f"{file}: is there already as {document['id']} ({escape(document['title'])})."]
    if document["state"] == "partial":
        count = len(document.get("bad_pages") or [])
        return [f"{file}: {document['id']}, searchable but for {count} pages that could not be read."]
    return [f"{file}: {document['id']}, {'searchable' if document['state'] == 'ready' else 'sent'}."]
