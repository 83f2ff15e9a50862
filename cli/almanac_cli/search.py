"""`almanac search`: hits with their citations."""

from typing import Annotated

import typer
from rich.text import Text

from almanac_cli import projects
from almanac_cli.client import Document
from almanac_cli.output import AsJson, connected, escape, output, show

app = typer.Typer()

PATH = "/api/v1/search"
LINES = 8


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="What to look for: words, or a question.")],
    project: Annotated[list[str] | None, typer.Option(help="Only in this project: its id or name; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="code, commit or message; repeatable.")] = None,
    path: Annotated[str | None, typer.Option(help="Only paths that match, as in 'src/**/*.py'.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only this language, as in python; repeatable.")] = None,
    author: Annotated[str | None, typer.Option(help="Only what this person wrote.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what is as new as this: '7d', or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what is older than this: '1h', or ISO 8601.")] = None,
    limit: Annotated[int, typer.Option(help="How many hits.", min=1, max=50)] = 10,
    as_json: AsJson = False,
) -> None:
    """Search code, commits and messages by meaning and by word."""
    with connected(as_json) as api:
        filters = {"kind": kind, "path": path, "language": language, "author": author, "since": since, "until": until}
        body: Document = {"q": " ".join(words), "limit": limit}
        body |= {name: value for name, value in filters.items() if value}
        body |= {"project": [projects.resolve(api, one)["id"] for one in project]} if project else {}
        found = api.post(PATH, body)
        if as_json:
            show(found, as_json)
        else:
            render(found)


def render(found: Document) -> None:
    """Print the hits for a person."""
    if not found["items"]:
        output.print("Nothing was found.")
    for rank, hit in enumerate(found["items"], 1):
        output.print(f"[bold]{rank}. {escape(cite(hit))}[/bold]  [dim]{hit['kind']}  {hit['score']:.2f}[/dim]")
        if hit.get("context"):
            output.print(f"   [dim]{escape(hit['context'])}[/dim]")
        for line in excerpt(hit):
            output.print(Text("   ") + line, soft_wrap=True)
        output.print()


def cite(hit: Document) -> str:
    """Return where a hit stands: `path:first-last` at a commit, a commit's sha and author, or a message's id."""
    citation = hit["citation"]
    match hit["kind"]:
        case "code":
            place = f"{citation['path']}:{citation['start_line']}-{citation['end_line']}"
            return f"{place} @{(citation.get('commit') or '')[:10]}"
        case "commit":
            return f"{hit['title']} ({(citation.get('sha') or '')[:10]}, {citation.get('author') or 'unknown'})"
    return f"{hit['title']} ({citation.get('message_id') or citation['checkpoint_id']})"


def excerpt(hit: Document) -> list[Text]:
    """Return the first lines of the excerpt, what matched standing out."""
    # One character for one, so that the highlights stay where they are.
    printable = (c if c == "\n" or c.isprintable() else " " for c in hit["excerpt"])
    text = Text("".join(printable))
    for start, end in hit["highlights"]:
        text.stylize("yellow", start, end)
    return [line for line in text.split("\n") if line.plain.strip()][:LINES]
