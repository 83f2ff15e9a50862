"""`almanac search`: hits with their citations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.text import Text

from almanac_cli import collections, projects
from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError
from almanac_cli.output import AsJson, connected, escape, messages, output, show

app = typer.Typer()

PATH = "/api/v1/search"
LINES = 8
InCollection = Annotated[
    list[str] | None, typer.Option("--collection", help="Only in this collection: its id or name; repeatable.")
]
InDocument = Annotated[
    list[str] | None, typer.Option("--document", help="Only in this document (doc_...); repeatable.")
]
OfVersion = Annotated[
    int | None, typer.Option("--version", help="The one document that is named, as it was in this version.", min=1)
]


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="What to look for: words, or a question.")],
    project: Annotated[list[str] | None, typer.Option(help="Only in this project: its id or name; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="code, commit, message or document; repeatable.")] = None,
    collection: InCollection = None,
    document: InDocument = None,
    version: OfVersion = None,
    path: Annotated[str | None, typer.Option(help="Only paths that match, as in 'src/**/*.py'.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only this language, as in python; repeatable.")] = None,
    author: Annotated[str | None, typer.Option(help="Only what this person wrote.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what is as new as this: '7d', or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what is older than this: '1h', or ISO 8601.")] = None,
    as_of: Annotated[str | None, typer.Option(help="What was true then: a commit, '7d', or ISO 8601.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Tell how each score came about.")] = False,
    limit: Annotated[int, typer.Option(help="How many hits.", min=1, max=50)] = 10,
    as_json: AsJson = False,
) -> None:
    """Search code, commits, messages and documents by meaning and by word."""
    with connected(as_json) as api:
        filters: Document = {
            "kind": kind,
            "path": path,
            "language": language,
            "author": author,
            "since": since,
            "until": until,
        }
        filters |= {"as_of": as_of, "version": version, "document": document}
        body: Document = {"q": " ".join(words), "limit": limit}
        body |= {name: value for name, value in filters.items() if value}
        body |= {"explain": True} if explain else {}
        body |= places(api, project, collection)
        with pointed(as_json):
            found = api.post(PATH, body)
        if as_json:
            show(found, as_json)
        else:
            render(found)


def places(api: Api, project: list[str] | None, collection: list[str] | None) -> Document:
    """Return the filters of the projects and collections that are given by id or name."""
    found: Document = {"project": [projects.resolve(api, one)["id"] for one in project]} if project else {}
    return found | ({"collection": [collections.resolve(api, one)["id"] for one in collection]} if collection else {})


@contextmanager
def pointed(as_json: bool) -> Iterator[None]:
    """Show a person where in the query the fault is; the error goes on, without saying it twice."""
    try:
        yield
    except CliError as error:
        faults = error.fields.get("errors") or []
        if as_json or error.fields.get("code") != "invalid_query" or not any(one.get("pointer") for one in faults):
            raise
        for fault in faults:
            # Not wrapped, or the caret would stand under something else.
            messages.print(Text(printable(fault.get("pointer") or "")), soft_wrap=True)
            if fault["message"] != error.problem:
                messages.print(escape(fault["message"]))
        fields = {name: value for name, value in error.fields.items() if name != "errors"}
        way_out = "Mend the query; docs/search.md tells how one is written."
        raise CliError(error.problem, way_out, error.status, fields) from None


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
        if hit.get("explanation"):
            output.print(f"   [dim]{escape(explained(hit['explanation']))}[/dim]", soft_wrap=True)
        output.print()
    for remark in remarks(found):
        output.print(f"[dim]{escape(remark)}[/dim]", soft_wrap=True)


def explained(why: Document) -> str:
    """Return in one line what words and meaning measured, and what each counts for at most."""
    cosine = "no vector" if why["cosine"] is None else f"cosine {why['cosine']:.3f}"
    terms = ", ".join(f"{term} {part:.2f}" for term, part in sorted(why["terms"].items(), key=lambda one: -one[1]))
    weights = f"weights: words {why['words_weight']:.2f}, meaning {why['meaning_weight']:.2f}"
    return f"bm25 {why['bm25']:.2f} ({terms or 'no term occurs'}); {cosine}; {weights}"


def remarks(found: Document) -> list[str]:
    """Return what a reader of the hits should know: hints, what is missing, and the time they are of."""
    index = found.get("index") or {}
    lines = [f"Hint: {hint}" for hint in found.get("hints") or []]
    if index.get("degraded"):
        lines.append(f"Degraded: {index['degraded']}")
    if line := waiting(index.get("pending") or {}):
        lines.append(line)
    if then := index.get("as_of"):
        commits = ", ".join(f"{name} @{sha[:10]}" for name, sha in then["commits"].items())
        lines.append(f"As of {then['moment']}: {commits or 'no repository had anything indexed'}")
    return lines


def waiting(pending: Document) -> str | None:
    """Return one line about what is not embedded yet, None when everything is."""
    counts = {"message": pending.get("messages", 0), "document": pending.get("documents", 0)}
    counts["batch"] = sum((pending.get("batches") or {}).values())
    plurals = {"message": "messages", "document": "documents", "batch": "batches"}
    parts = [f"{count} {one if count == 1 else plurals[one]}" for one, count in counts.items() if count]
    if not parts:
        return None
    verb = "is" if sum(counts.values()) == 1 else "are"
    found = "; messages are found by their words" if counts["message"] else ""
    return f"{', '.join(parts[:-1])}{' and ' * (len(parts) > 1)}{parts[-1]} {verb} not embedded yet{found}."


def cite(hit: Document) -> str:
    """Return where a hit stands: `path:first-last` at a commit, a commit's sha and author, a page, a message's id."""
    citation = hit["citation"]
    match hit["kind"]:
        case "code":
            place = f"{citation['path']}:{citation['start_line']}-{citation['end_line']}"
            return f"{place} @{(citation.get('commit') or '')[:10]}"
        case "commit":
            return f"{hit['title']} ({(citation.get('sha') or '')[:10]}, {citation.get('author') or 'unknown'})"
        case "document":
            place = ", ".join(filter(None, (citation["title"], citation.get("label"))))
            of_version = f" version {citation['version']}" if citation.get("version") else ""
            return f"{place} ({citation['document_id']}{of_version})"
    return f"{hit['title']} ({citation.get('message_id') or citation['checkpoint_id']})"


def excerpt(hit: Document) -> list[Text]:
    """Return the first lines of the excerpt, what matched standing out."""
    text = Text(printable(hit["excerpt"]))
    for start, end in hit["highlights"]:
        text.stylize("yellow", start, end)
    return [line for line in text.split("\n") if line.plain.strip()][:LINES]


def printable(text: str) -> str:
    """Return the text free of what a terminal acts on, one character for one, so that places in it stay."""
    return "".join(c if c == "\n" or c.isprintable() else " " for c in text)
