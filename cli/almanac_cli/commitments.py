"""`almanac commitments`: what a project's documents promise, and what became of it."""

from enum import StrEnum
from typing import Annotated

import typer

from almanac_cli import projects, readings
from almanac_cli.client import Document
from almanac_cli.output import AsJson, connected, show

app = typer.Typer()


class Became(StrEnum):
    """What became of a promise."""

    OPEN = "open"
    CLOSED = "closed"
    CONTRADICTED = "contradicted"
    STALE = "stale"


@app.command()
def commitments(
    project: Annotated[str, typer.Argument(help="The project's id or name.")],
    status: Annotated[Became | None, typer.Option(help="Only these; stale: never mentioned again.")] = None,
    who: Annotated[str | None, typer.Option(help="Only what this person promised.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was promised across a project's documents: open, closed, contradicted, or never mentioned again."""
    with connected(as_json) as api:
        path = f"{projects.PATH}/{projects.resolve(api, project)['id']}/commitments"
        found: Document = api.get(path, status=status, who=who)
        while cursor := found["next_cursor"]:
            page = api.get(path, status=status, who=who, cursor=cursor)
            found |= {"items": [*found["items"], *page["items"]], "next_cursor": page["next_cursor"]}
        show(found, as_json, *readings.commitments(found))
