"""`almanac audit`: what was done in the tenant, and whether its log is whole."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, reported, show, show_table

app = typer.Typer(help="The audit log: who did what, and whether the log is whole.", no_args_is_help=True)

PATH = "/api/v1/audit"
PART = 500


@app.command("list")
def list_entries(
    actor: Annotated[str | None, typer.Option(help="Who: the id of a person, service account or key.")] = None,
    action: Annotated[str | None, typer.Option(help="Which operation, as in 'update_member'.")] = None,
    resource: Annotated[str | None, typer.Option(help="An id that the entry names.")] = None,
    result: Annotated[str | None, typer.Option(help="succeeded, refused, failed or unknown.")] = None,
    since: Annotated[str | None, typer.Option(help="As in 2026-01-31, 2026-01-31T12:00:00Z or 7d.")] = None,
    until: Annotated[str | None, typer.Option(help="As in 2026-01-31, 2026-01-31T12:00:00Z or 7d.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was done, the newest first."""
    wanted = {"actor": actor, "action": action, "resource": resource, "result": result, "since": since, "until": until}
    with connected(as_json) as api:
        found = list(islice(api.items(PATH, **wanted), limit))
        rows = found if as_json else [_row(entry) for entry in found]
        columns = ["seq", "at", "actor", "action", "resource", "from", "result"]
        show_table(rows, as_json, columns, "Nothing is in the log.")


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="A file that 'almanac audit export' wrote: checked here, without the API.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute the hash chain again; ends with status 1 where the log is not what was written."""
    if file is None:
        with connected(as_json) as api:
            report = _verify_there(api)
            _tell(report, as_json)
    else:
        with reported(as_json):
            report = _verify_here(file)
            _tell(report, as_json)
    if not report["intact"]:
        raise typer.Exit(Exit.API_ERROR)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the lines of JSON.")],
    after: Annotated[int, typer.Option(help="Begin after this entry.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Write the log to a file, one entry on each line, with all that its hashes are made of."""
    with connected(as_json) as api:
        last: Document = {"seq": after}
        count = 0
        try:
            with file.open("w", encoding="utf-8") as written:
                for line in _lines(api, after):
                    written.write(line + "\n")
                    last = json.loads(line)
                    count += 1
        except OSError as error:
            raise CliError(f"{file} cannot be written: {error.strerror}", "Name another file.", Exit.USAGE) from None
        done = {"file": str(file), "entries": count, "seq": last["seq"], "hash": last.get("hash")}
        show(done, as_json, f"Wrote {count} entries to {escape(str(file))}; 'almanac audit verify {file}' checks them.")


def _lines(api: Api, after: int) -> Iterator[str]:
    while True:
        part = api.text(f"{PATH}/export", after=after, limit=PART).splitlines()
        yield from part
        if len(part) < PART:
            return
        after = json.loads(part[-1])["seq"]


def _verify_there(api: Api) -> Document:
    """Check the whole log part by part; returns the report of the last part, or of the one that is broken."""
    after, erased = 0, 0
    while True:
        report: Document = api.get(f"{PATH}/verify", after=after, limit=PART)
        erased += report["sources_erased"]
        if report["next_after"] is None:
            return {**report, "after": 0, "sources_erased": erased}
        after = report["next_after"]


def _verify_here(file: Path) -> Document:
    from almanac.audit.chain import Link, check

    try:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise CliError(f"{file} is no export: {error}", "'almanac audit export FILE' writes one.", Exit.USAGE) from None
    first: Any = lines[0] if lines and isinstance(lines[0], dict) else {}
    begins = first.get("seq", 1) - 1 if isinstance(first.get("seq", 1), int) else 0
    begin = Link(begins, str(first.get("prev"))) if begins > 0 else Link()
    checked = check((line if isinstance(line, dict) else {} for line in lines), after=begin)
    return {
        "intact": checked.broken is None,
        "after": begin.seq,
        "verified": vars(checked.last),
        "broken": vars(checked.broken) if checked.broken else None,
        "sources_erased": checked.erased,
    }


def _tell(report: Document, as_json: bool) -> None:
    verified = f"{report['verified']['seq']} with the hash {report['verified']['hash']}"
    lines = [f"As it was written: the entries after {report['after']}, up to {verified}."]
    if report["broken"]:
        broken = report["broken"]
        lines.append(f"[red]Entry {broken['seq']} is not: {escape(broken['fault'])}, {escape(broken['detail'])}.[/red]")
    if report["sources_erased"]:
        lines.append(f"{report['sources_erased']} entries no longer say where the call came from.")
    if report.get("open"):
        lines.append(f"{report['open']} entries are not sealed yet, the oldest of {report['oldest_open_at']}.")
    show(report, as_json, *lines)


def _row(entry: Document) -> Document:
    named = {**entry["resource"], **entry["facts"]}
    result = entry["result"] if entry["code"] is None else f"{entry['result']}: {entry['code']}"
    return {
        **entry,
        "actor": entry["actor"]["id"],
        "resource": " ".join(f"{name}={value}" for name, value in named.items()),
        "from": (entry["source"] or {}).get("ip"),
        "result": result,
    }
