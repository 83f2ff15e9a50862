"""`almanac commitments`: what a project's documents promise, and what became of it."""

from typing import Annotated

import typer

from almanac_cli import projects
from almanac_cli.client import Document
from almanac_cli.output import AsJson, connected, escape, show

app = typer.Typer()


@app.command()
def commitments(
    project: Annotated[str, typer.Argument(help="The project's id or name.")],
    status: Annotated[str | None, typer.Option(help="open, closed, contradicted or stale.")] = None,
    who: Annotated[str | None, typer.Option(help="Only what this person promised.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was promised across a project's documents: open, closed, contradicted, or never mentioned again."""
    with connected(as_json) as api:
        path = f"{projects.PATH}/{projects.resolve(api, project)['id']}/commitments"
        found = api.get(path, status=status, who=who)
        lines = [line for commitment in found["items"] for line in _lines(commitment)]
        show(found, as_json, *(lines or ["Nothing is promised."]))


def _lines(commitment: Document) -> list[str]:
    who, when = commitment.get("who") or "somebody", commitment.get("when") or "no date"
    head = f"[bold]{escape(commitment['status'])}[/bold] {escape(commitment['what'])} ({escape(who)}, {escape(when)})"
    return [head, *(f"  [dim]{escape(_place(source))}[/dim]" for source in _sources(commitment))]


def _sources(commitment: Document) -> list[Document]:
    found = [commitment.get("promised"), *(commitment.get("later") or [])]
    return [source for source in found if source]


def _place(source: Document) -> str:
    return " ".join(str(source[name]) for name in ("title", "document_id", "label", "quote") if source.get(name))
