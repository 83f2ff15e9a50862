"""`almanac watch`: what happens to a document, a collection, a project or a repository, as it happens."""

import json
from typing import Annotated

import typer

from almanac_cli.client import Document
from almanac_cli.feed import Feed
from almanac_cli.output import connected, escape, messages, output

app = typer.Typer()


@app.command()
def watch(
    topic: Annotated[str, typer.Argument(help="document:ID, collection:ID, project:ID or repository:ID.")],
    after: Annotated[
        int | None, typer.Option(help="Begin after the event of this number; 0 is all that is kept.", min=0)
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many events.", min=1)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a line, nothing else.")] = False,
) -> None:
    """Follow a topic until interrupted; a connection that breaks goes on where it was."""
    with connected(as_json) as api:
        shown = 0
        feed = Feed(api, topic, after, lambda said: messages.print(escape(said), soft_wrap=True))
        for event in feed.events():
            if event is None:
                continue
            typer.echo(json.dumps(event)) if as_json else output.print(told(event), soft_wrap=True)
            shown += 1
            if shown == count:
                return


def told(event: Document) -> str:
    """Return an event in one line of markup."""
    data = event.get("data") or {}
    job = data.get("job") or {}
    words = [str(data[name]) for name in ("title", "name", "state") if data.get(name)]
    if job and data.get("state") == "processing":
        words.append(f"{job['step']} {job['percent']}%")
    if cause := data.get("cause"):
        words.append(str(cause["message"] if isinstance(cause, dict) else cause))
    place = f"[dim]{event['sequence']:>6} {escape(event['at'])}[/dim]"
    return f"{place} [bold]{escape(event['type'])}[/bold] {escape(event['resource_id'])} {escape(' · '.join(words))}"
