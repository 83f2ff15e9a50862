"""`almanac up | down | status | logs`: the local stack.

Exit codes: 0 done, 1 failed or broken, 2 wrong usage, 3 the stack does not run.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, escape, local_problems, messages, output, reported

if TYPE_CHECKING:
    from rich import status as rich_status

    from infra.local.stack import LocalStack, StackInfo, Status

PROCESSES = ("ministack", "edge")

app = typer.Typer(add_completion=False)


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start the local stack and deploy the newest code to it."""
    began = time.monotonic()
    with _explained(as_json), messages.status("looking at the stack") as status:
        info = _stack().up(lambda step: _show_step(status, step))
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        _show_json({"state": "running", **_addresses(info), "seconds": seconds})
        return
    output.print(f"The local stack runs ({seconds} s).")
    output.print(f"  API   {info.api_url}/api/v1\n  Docs  {info.api_url}/docs\n  AWS   {info.endpoint_url}")


@app.command()
def down(
    clean: Annotated[bool, typer.Option("--clean", help="Also remove its data, logs and remembered ports.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stop the local stack. Its data is saved, as a trial's data: only a clean stop saves it."""
    from almanac_cli import hosting

    with _explained(as_json), messages.status("stopping") as status:
        hosting.stop()
        ran = _stack().down(lambda step: _show_step(status, step), clean=clean)
    if as_json:
        _show_json({"state": "stopped", "was_running": ran, "cleaned": clean})
    else:
        output.print(("Stopped" if ran else "It did not run") + (" and removed." if clean else "."))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Tell whether the local stack runs, where, and whether it has the newest code."""
    with _explained(as_json):
        found = _stack().status()
    if as_json:
        _show_json(_status_document(found))
    else:
        _print_status(found)
    raise typer.Exit({"running": Exit.OK, "broken": Exit.API_ERROR, "stopped": Exit.UNREACHABLE}[found.health])


@app.command()
def logs(
    function: Annotated[str | None, typer.Argument(help="projects, sync-worker...; or ministack, edge.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on printing until interrupted.")] = False,
    since: Annotated[int, typer.Option(help="Minutes to look back.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Print the log of one function, or of all of them."""
    from infra.local import logs as local_logs

    with _explained(as_json):
        stack = _stack()
        if function in PROCESSES:
            lines = local_logs.process_lines(stack.layout.log(str(function)), follow)
        else:
            lines = local_logs.function_lines(stack.info().endpoint_url, function, since * 60, follow)
        try:
            for line in lines:
                typer.echo(json.dumps(asdict(line)) if as_json else line.text)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.OK) from None


def _stack() -> "LocalStack":
    from infra.local.stack import LocalStack

    return LocalStack.default()


def _show_step(spinner: "rich_status.Status", step: str) -> None:
    """Keep each step on the screen, so that a slow one is known by name."""
    messages.print(f"[dim]· {escape(step)}[/dim]")
    spinner.update(escape(step))


@contextmanager
def _explained(as_json: bool) -> Iterator[None]:
    """Report a problem of the local runtime with its way out: status 3 where nothing runs, 1 for everything else."""
    from infra.local.errors import NotRunning

    with reported(as_json):
        try:
            with local_problems():
                yield
        except CliError as error:
            error.status = Exit.UNREACHABLE if isinstance(error.__context__, NotRunning) else Exit.API_ERROR
            raise


def _show_json(document: dict[str, Any]) -> None:
    typer.echo(json.dumps(document))


def _addresses(info: "StackInfo") -> dict[str, Any]:
    return {"api_url": info.api_url, "endpoint_url": info.endpoint_url, "outputs": info.outputs}


def _status_document(found: "Status") -> dict[str, Any]:
    document: dict[str, Any] = {"state": found.health, "problem": found.problem, "up_to_date": found.up_to_date}
    return {**document, **(_addresses(found.info) if found.info else {})}


def _print_status(found: "Status") -> None:
    output.print(f"The local stack is {found.health}.")
    if found.problem:
        output.print(f"[red]{escape(found.problem)}[/red]")
    if found.health == "stopped":
        output.print("Start it with 'almanac up'.")
    if found.info:
        output.print(f"  API   {found.info.api_url}/api/v1\n  Docs  {found.info.api_url}/docs")
        output.print(f"  AWS   {found.info.endpoint_url}")
    if found.up_to_date is False:
        output.print("The code has changed since: 'almanac up' deploys it.")
