"""How commands speak: results on stdout, everything else on stderr; with `--json` one document on each."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from almanac_cli.client import Api
from almanac_cli.config import Config
from almanac_cli.errors import CliError, Exit

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]

output = Console(highlight=False)
messages = Console(stderr=True, highlight=False)


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """End the command with the error's message and status when one is raised inside."""
    try:
        yield
    except CliError as error:
        if as_json:
            print(json.dumps(error.document()), file=sys.stderr)
        else:
            messages.print(f"[red]{escape(error.problem)}[/red]\n{escape(error.way_out)}")
            for entry in error.fields.get("errors") or []:
                messages.print(f"  {escape(entry['field'])}: {escape(entry['message'])}")
        raise typer.Exit(error.status) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def local_problems() -> Iterator[None]:
    """Turn a problem of the local runtime into one that every command knows how to report."""
    from infra.local.environments import InstallError
    from infra.local.errors import LocalError

    try:
        yield
    except LocalError as error:
        raise CliError(error.problem, error.way_out, Exit.UNREACHABLE) from None
    except InstallError as error:
        raise CliError(str(error), "Check the network and the disk, then try again.") from None
    except OSError as error:
        problem = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        raise CliError(problem, "Free the disk or mend the permissions, then try again.") from None


@contextmanager
def connected(as_json: bool) -> Iterator[Api]:
    """Give the API that the configuration names."""
    with reported(as_json), Api.from_config(Config.load()) as api:
        yield api


def show(document: Any, as_json: bool, *lines: str) -> None:
    """Print the document, or its lines (rich markup) for a person."""
    if as_json:
        print(json.dumps(document))
        return
    for line in lines:
        output.print(line)


def show_fields(document: Mapping[str, Any], as_json: bool) -> None:
    """Print the document, or a line for each of its fields for a person."""
    show(document, as_json, *(f"{name}: {escape(str(value))}" for name, value in document.items()))


def show_table(items: Sequence[dict[str, Any]], as_json: bool, columns: Iterable[str], empty: str) -> None:
    """Print a list: its documents, or a table of the columns for a person."""
    if as_json:
        print(json.dumps({"items": list(items)}))
        return
    if not items:
        output.print(empty)
        return
    names = list(columns)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        # Ids are there to be copied, so they are never cut.
        table.add_column(name.replace("_", " "), no_wrap=name == "id", overflow="fold")
    for item in items:
        table.add_row(*(escape(_cell(item.get(name))) for name in names))
    output.print(table)


def escape(text: str) -> str:
    """Make text safe from being read as markup, and free of what a terminal would act on."""
    from rich.markup import escape as escaped

    return escaped("".join(character for character in text if character in "\n\t" or character.isprintable()))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return " ".join(value.split()) if isinstance(value, str) else json.dumps(value)
