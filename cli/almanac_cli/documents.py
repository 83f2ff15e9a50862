"""`almanac documents`: what was uploaded, its text and versions, and what becomes of it."""

import time
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from almanac_cli import collections, projects, readings, transfers
from almanac_cli.bars import bars
from almanac_cli.client import Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, show, show_table
from almanac_cli.people import ask
from almanac_cli.upload import DOCUMENTS, READY, followed

app = typer.Typer(help="Documents: what 'almanac upload' has brought.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="DOCUMENT", help="The document's id, doc_...")]
Version = Annotated[int | None, typer.Option(help="This version; without it, the one that search answers from.", min=1)]
_COLUMNS = ["id", "title", "state", "document_type", "size", "updated_at"]


@app.command("list")
def list_documents(
    project: Annotated[str | None, typer.Option(help="Only of this project: its id or name.")] = None,
    collection: Annotated[str | None, typer.Option(help="Only of this collection: its id or name.")] = None,
    state: Annotated[str | None, typer.Option(help="awaiting, processing, ready, partial, failed...")] = None,
    document_type: Annotated[str | None, typer.Option("--type", help="Only of this type.")] = None,
    name: Annotated[str | None, typer.Option(help="Only with these words in the title or file name.")] = None,
    since: Annotated[str | None, typer.Option(help="Only created at or after this: ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Only created before this: ISO 8601.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the documents."""
    with connected(as_json) as api:
        query = {"state": state, "type": document_type, "q": name, "since": since, "until": until}
        query["project_id"] = projects.resolve(api, project)["id"] if project else None
        query["collection_id"] = collections.resolve(api, collection)["id"] if collection else None
        found = list(api.items(DOCUMENTS, **query))
        show_table(found, as_json, _COLUMNS, "There are no such documents.")


@app.command("show")
def show_document(document: Id, as_json: AsJson = False) -> None:
    """Show a document: its state, how far its job is, its cause when it failed."""
    with connected(as_json) as api:
        found = api.get(_path(document))
        show(found, as_json, *describe(found))


@app.command()
def text(
    document: Id,
    version: Version = None,
    first: Annotated[int | None, typer.Option(help="From this page on.", min=1)] = None,
    last: Annotated[int | None, typer.Option(help="Up to this page.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Print what was read from a document, page by page, without the secrets in it."""
    with connected(as_json) as api:
        found = api.get(f"{_path(document)}/text", version=version, first=first, last=last)
        going_on: int | None = found["next_first"]
        while going_on:
            page = api.get(f"{_path(document)}/text", version=found["version"], first=going_on, last=last)
            found["items"] += page["items"]
            going_on = page["next_first"]
        show({**found, "next_first": None}, as_json, *(line for page in found["items"] for line in _page(page)))


@app.command()
def download(
    document: Id,
    to: Annotated[Path | None, typer.Option("--output", help="The file to write; it must not exist.")] = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Download a document's file as it was uploaded."""
    with connected(as_json) as api:
        found = api.get(f"{_path(document)}/download", version=version)
        # The name is what somebody called a file: it must not lead out of this directory.
        target = to or Path(Path(found["filename"].replace("\\", "/")).name or document)
        if target.exists():
            raise CliError(f"{target} exists.", "Name another file with --output.", Exit.USAGE)
        with bars(as_json) as new_bar:
            bar = new_bar(target.name)
            size = transfers.fetch(found["url"], target, lambda done: bar.moved("receiving", done, 0))
            bar.end("done")
        written = {"id": document, "file": str(target), "bytes": size}
        show(written, as_json, f"Wrote {escape(str(target))}: {size} bytes.")


@app.command()
def versions(document: Id, as_json: AsJson = False) -> None:
    """List a document's versions."""
    with connected(as_json) as api:
        found = list(api.items(f"{_path(document)}/versions"))
        columns = ["version", "filename", "state", "pages", "size", "uploaded_by", "written_at"]
        show_table(found, as_json, columns, "No file has arrived yet.")


@app.command()
def diff(
    document: Id,
    first: Annotated[int, typer.Option("--from", help="The earlier version.", min=1)],
    to: Annotated[int, typer.Option("--to", help="The later version.", min=1)],
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions, in words and in passages."""
    with connected(as_json) as api:
        query = {"from": first, "to": to}
        found = api.get(f"{_path(document)}/diff", **query)
        cursor = found.get("next_cursor")
        while cursor:
            page = api.get(f"{_path(document)}/diff", **query, cursor=cursor)
            found["items"] += page["items"]
            cursor = page.get("next_cursor")
        found["next_cursor"] = None
        show(found, as_json, *readings.changes(found))


@app.command()
def analysis(document: Id, version: Version = None, as_json: AsJson = False) -> None:
    """Show a document's summary, actions, decisions, risks, dates and open questions, with where they stand."""
    with connected(as_json) as api:
        found = api.get(f"{_path(document)}/analysis", version=version)
        show(found, as_json, *readings.analysis(found))


@app.command()
def reprocess(
    document: Id,
    password_prompt: Annotated[
        bool, typer.Option("--password-prompt", help="Ask for the file's password; it is not kept.")
    ] = False,
    ocr: Annotated[bool, typer.Option("--ocr", help="Recognise the text in scans and pictures.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the job has ended.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Read a document's newest file again."""
    with connected(as_json) as api:
        body: Document = {"password": ask("Password", hidden=True)} if password_prompt else {}
        body |= {"ocr": True} if ocr else {}
        asked = api.post(f"{_path(document)}/reprocess", body)
        if not wait:
            show(asked, as_json, f"{document} is read again; 'almanac documents show {document}' tells how far it is.")
            return
        with bars(as_json) as new_bar:
            bar = new_bar(asked.get("title") or document)
            found = followed(api, document, bar, time.monotonic() + timeout)
            bar.end(found["state"])
        show(found, as_json, *describe(found))
        if found["state"] not in READY:
            raise typer.Exit(Exit.API_ERROR)


@app.command()
def cancel(document: Id, as_json: AsJson = False) -> None:
    """End a document's job; what an earlier version gave stays searchable."""
    with connected(as_json) as api:
        found = api.post(f"{_path(document)}/cancel")
        show(found, as_json, f"{document} is {found['state']}.")


@app.command()
def move(
    document: Id,
    collection: Annotated[str | None, typer.Option(help="Into this collection: its id or name.")] = None,
    project: Annotated[str | None, typer.Option(help="Into this project: its id or name.")] = None,
    out: Annotated[bool, typer.Option("--out", help="Out of its collection and project.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move a document; who does not see the new place does not find it any more, at once."""
    with connected(as_json) as api:
        if sum(map(bool, (collection, project, out))) != 1:
            raise CliError("Where to?", "Give one of --collection, --project and --out.", Exit.USAGE)
        place: Document = {"collection_id": collections.resolve(api, collection)["id"]} if collection else {}
        place |= {"collection_id": None, "project_id": projects.resolve(api, project)["id"]} if project else {}
        place |= {"collection_id": None, "project_id": None} if out else {}
        edits = api.get(_path(document))["edits"]
        show(api.patch(_path(document), {"edits": edits, **place}), as_json, f"Moved {document}.")


@app.command()
def delete(document: Id, as_json: AsJson = False) -> None:
    """Delete a document, whatever its state, also from search; the receipt tells what went."""
    with connected(as_json) as api:
        answer = api.request("DELETE", _path(document))
        line = f"Deleted {document}; 'almanac documents receipt {document}' shows what went."
        show(answer or {"id": document, "status": "deleted"}, as_json, line)


@app.command()
def receipt(document: Id, as_json: AsJson = False) -> None:
    """Show the receipt of a deletion: what went, and when the last backup copy expires."""
    with connected(as_json) as api:
        found = api.get(f"{_path(document)}/receipt")
        show(found, as_json, *_went(found))


def describe(document: Document) -> list[str]:
    """Return what a person wants to know of a document, in lines of markup."""
    lines = [f"[bold]{escape(document['title'])}[/bold] ({document['id']}): {document['state']}"]
    lines.append(f"  {escape(document['filename'])}, version {document['version']}, {document['size']} bytes")
    if job := document.get("job"):
        counts = job["counts"]
        lines.append(f"  {job['step']} {job['percent']}%: {counts['read']} of {counts['pages']} pages read")
    if cause := document.get("cause"):
        lines.append(f"  [red]{escape(cause['message'])}[/red]")
        lines += [f"  {escape(cause['way_out'])}"] if cause.get("way_out") else []
    for page in document.get("bad_pages") or []:
        lines.append(f"  [red]{escape(page['label'])}: {escape(page['message'])}[/red]")
    return lines


def _path(document: str) -> str:
    return f"{DOCUMENTS}/{quote(document, safe='')}"


def _went(receipt: Document) -> list[str]:
    lines = [f"[bold]{receipt['document_id']}[/bold]: {receipt['state']}, asked for {receipt['requested_at']}"]
    for removed in receipt["removed"]:
        until = f", the last copy until {removed['last_copy_until']}" if removed["last_copy_until"] else ""
        lines.append(f"  {removed['count']} x {escape(removed['what'])}{until}")
    return [*lines, *(f"  remains: {escape(each)}" for each in receipt["remaining"])]


def _page(page: Document) -> tuple[str, str]:
    label = page["place"]["label"] if page["place"] else f"page {page['number']}"
    return f"[dim]--- {escape(label)}[/dim]", escape(page["text"])
