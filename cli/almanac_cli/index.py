"""`almanac index`: how the search index is, and what can be done with it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, messages, show

app = typer.Typer(help="The search index: its state, compaction, checks, and changes of model.", no_args_is_help=True)

INDEX = "/api/v1/search/index"
INDEXES = "/api/v1/search/indexes"
VERIFY = "/api/v1/search/verify"
POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 10.0
_SHOWN_DIFFERENCES = 20
# Tried again by the worker, unlike every other error of a build.
_PASSING = "build_interrupted"

Observe = Callable[[Document], None]
Id = Annotated[str, typer.Argument(metavar="ID", help="The index's id, as 'almanac index status' shows it.")]


class From(StrEnum):
    """What an index is made from."""

    INDEX = "index"
    SOURCES = "sources"


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show the index that answers queries, and the others beside it."""
    with connected(as_json) as api:
        found = api.get(INDEX)
        show(found, as_json, *_describe(found))


@app.command()
def compact(as_json: AsJson = False) -> None:
    """Merge the log into the snapshot now, rather than when it is long."""
    with connected(as_json) as api:
        found = api.post(f"{INDEX}/compact")
        show(found, as_json, f"Compaction of {found['index_id']} is queued; 'almanac index status' shows its result.")


@app.command()
def verify(
    sample: Annotated[int, typer.Option(help="How many sources and parts to look at.", min=1, max=500)] = 50,
    as_json: AsJson = False,
) -> None:
    """Compare a sample of the index with its sources; ends with status 1 when something differs."""
    with connected(as_json) as api:
        report = api.post(VERIFY, {"sample": sample})
        show(report, as_json, *_findings(report))
        if report["differences"]:
            raise typer.Exit(Exit.API_ERROR)


@app.command()
def rebuild(
    model: Annotated[str | None, typer.Option(help="Another embedding model, as 'provider:model'.")] = None,
    origin: Annotated[
        From, typer.Option("--from", help="Copy the serving index's chunks, or read all sources again.")
    ] = From.INDEX,
    shards: Annotated[int | None, typer.Option(help="In how many shards it lies.", min=1, max=64)] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the new index answers queries.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 3600.0,
    as_json: AsJson = False,
) -> None:
    """Build an index beside the one that serves; with --wait, let it serve when it is complete."""
    with connected(as_json) as api:
        body: Document = {"from": origin.value}
        body |= {"model": model} if model else {}
        body |= {"shards": shards} if shards else {}
        created: Document = api.post(INDEXES, body)
        if not wait:
            line = f"{created['id']} is being built: 'almanac index switch {created['id']}' when it is complete."
            show(created, as_json, line)
            return
        show_switched(watch(api, created, timeout, quiet=as_json), as_json)


@app.command()
def switch(index: Id, as_json: AsJson = False) -> None:
    """Let an index answer the queries; the one before it stays and is kept up to date."""
    with connected(as_json) as api:
        show_switched(api.post(f"{INDEXES}/{index}/activate"), as_json)


@app.command()
def rollback(as_json: AsJson = False) -> None:
    """Let the index answer the queries that did so before the last switch."""
    with connected(as_json) as api:
        retained = [each for each in api.get(INDEXES)["items"] if each["state"] == "retained" and each["served_until"]]
        if not retained:
            raise CliError("No other index has ever served.", "'almanac index status' shows them all.", Exit.NOT_FOUND)
        last = max(retained, key=lambda each: str(each["served_until"]))
        show_switched(api.post(f"{INDEXES}/{last['id']}/activate"), as_json)


@app.command()
def delete(index: Id, as_json: AsJson = False) -> None:
    """Delete an index that does not serve, or end its build."""
    with connected(as_json) as api:
        api.delete(f"{INDEXES}/{index}")
        show({"id": index, "status": "deleted"}, as_json, f"Deleted {escape(index)}.")


def watch(api: Api, created: Document, timeout: float, *, quiet: bool) -> Document:
    """Follow a build to its end and switch; raises `CliError` when it failed or did not end in time."""
    deadline = time.monotonic() + timeout
    pause = POLL_SECONDS
    path = f"{INDEXES}/{created['id']}"
    with _progress(quiet) as draw:
        while True:
            found: Document = api.get(path)
            draw(found)
            build = found.get("build") or {}
            _refuse_failed(created["id"], build)
            if build.get("ready") and (switched := _switched(api, path)) is not None:
                return switched
            if time.monotonic() > deadline:
                raise CliError(
                    f"The index is not complete after {timeout:.0f} s ({_done(build)}); its build goes on.",
                    f"'almanac index switch {created['id']}' when it is; or give a longer --timeout.",
                    Exit.TIMEOUT,
                )
            # A look at an index that fills from the sources compares it whole: a long build is asked about seldom.
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(1.5 * pause, LONGEST_POLL_SECONDS)


def show_switched(index: Document, as_json: bool) -> None:
    """Print the index that serves now."""
    line = f"[bold]{escape(index['id'])}[/bold] answers queries now ({escape(index['model'])})."
    show(index, as_json, line, "'almanac index rollback' goes back to the one before it.")


def _switched(api: Api, path: str) -> Document | None:
    """Switch, or return None when something was written meanwhile that the index does not show yet."""
    try:
        switched: Document = api.post(f"{path}/activate")
    except CliError as error:
        if error.fields.get("code") == "index_incomplete":
            return None
        raise
    return switched


def _refuse_failed(index_id: str, build: Document) -> None:
    error = build.get("error")
    if error and error["code"] != _PASSING:
        raise CliError(
            f"The build failed: {error['cause']}.",
            f"Mend the cause; 'almanac index delete {index_id}' and rebuild. Queries are answered as before.",
            fields={"code": error["code"]},
        )


@contextmanager
def _progress(quiet: bool) -> Iterator[Observe]:
    """Give what shows a build's progress: a live line on a terminal, a line for each change elsewhere."""
    if quiet:
        yield lambda _index: None
        return
    if messages.is_terminal:
        with messages.status("building") as live:
            yield lambda index: live.update(escape(_done(index.get("build") or {})))
        return
    shown: list[str] = []

    def write(index: Document) -> None:
        line = _done(index.get("build") or {})
        if line not in shown[-1:]:
            messages.print(f"· {escape(line)}")
            shown.append(line)

    yield write


def _done(build: Document) -> str:
    if not build:
        return "building"
    text = f"{build['done']} of {build['total']} sources, {build['chunks']} chunks, {build['embedded']} embedded"
    return f"{text}; {build['error']['cause']}" if build.get("error") else text


def _describe(found: Document) -> list[str]:
    log = found["log"]
    lines = [
        f"[bold]{escape(found['id'])}[/bold] ({escape(found['model'])}, {_count(found['shards'], 'shard')})",
    ]
    if found["readable"]:
        lines.append(f"  {found['chunks']} chunks, {found['unembedded']} of them without a vector")
        lines.append(f"  {found['superseded']} superseded rows, {found['history']} rows of history")
    else:
        lines.append("  [red]A part of it is damaged: queries are refused until it is repaired.[/red]")
    for part in found["lost"]:
        way_out = "'almanac index rebuild --from sources' makes the index anew"
        lines.append(f"  [red]lost since {part['at']}: {part['sha256']} ({escape(part['reason'])})[/red]; {way_out}")
    lines.append(f"  {found['awaiting']} awaited")
    lines.append(f"  log: {_count(log['segments'], 'segment')}, {log['rows']} rows, {_size(log['bytes'])}")
    for snapshot in found["snapshots"]:
        age = "" if snapshot["age_seconds"] is None else f", {snapshot['age_seconds']} s old"
        number = f"  snapshot {snapshot['shard']}: generation {snapshot['generation']}{age}"
        lines.append(f"{number}, {snapshot['rows']} rows, {_size(snapshot['bytes'])}")
    for name, standing in found["repositories"].items():
        lines.append(f"  {name} at {(standing['commit'] or '-')[:12]}")
    for other in found["others"]:
        build = f", {_done(other['build'])}" if other["state"] == "building" and other["build"] else ""
        lines.append(f"  beside it: {escape(other['id'])} ({escape(other['model'])}), {other['state']}{escape(build)}")
    return lines


def _findings(report: Document) -> list[str]:
    checked = ", ".join(f"{number} {name}" for name, number in report["checked"].items() if number) or "nothing"
    lines = [f"Looked at {escape(checked)}."]
    lines += [f"[dim]Not compared: {escape(each)}[/dim]" for each in report["skipped"]]
    if not report["differences"]:
        return [*lines, "The index says what its sources say."]
    for each in report["differences"][:_SHOWN_DIFFERENCES]:
        said = f"expected {each['expected'] or 'nothing'}, found {each['found'] or 'nothing'}"
        lines.append(f"[red]{escape(each['source_id'])}[/red]: {each['problem']} ({escape(said)})")
    more = len(report["differences"]) + report["left_off"] - _SHOWN_DIFFERENCES
    lines += [f"and {more} more"] if more > 0 else []
    lines += [f"The repair of {_count(report['repairs'], 'part')} was asked for."] if report["repairs"] else []
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _size(number: int) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 10_000:
            return f"{number} {unit}"
        number //= 1000
    return f"{number} GB"
