"""`almanac ask`: an answer with its citations, or the admission that the sources have none."""

from typing import Annotated

import typer

from almanac_cli.client import Api, Document
from almanac_cli.output import AsJson, connected, escape, output, show
from almanac_cli.search import InCollection, InDocument, OfVersion, cite, places

app = typer.Typer()

PATH = "/api/v1/ask"
CONVERSATIONS = "/api/v1/conversations"
NEW = "new"
_WHY = {
    "model_unavailable": "the language model does not answer",
    "model_refused": "the language model refused",
    "model_answer_unreadable": "the language model gave no readable answer",
}


@app.command()
def ask(
    question: Annotated[list[str], typer.Argument(help="The question, in any language.")],
    project: Annotated[list[str] | None, typer.Option(help="Only in this project: its id or name; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="code, commit, message or document; repeatable.")] = None,
    collection: InCollection = None,
    document: InDocument = None,
    version: OfVersion = None,
    path: Annotated[str | None, typer.Option(help="Only paths that match, as in 'docs/**'.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only this language, as in python; repeatable.")] = None,
    author: Annotated[str | None, typer.Option(help="Only what this person wrote.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what is as new as this: '7d', or ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Only what is older than this: '1h', or ISO 8601.")] = None,
    as_of: Annotated[str | None, typer.Option(help="What was true then: a commit, '7d', or ISO 8601.")] = None,
    conversation: Annotated[
        str | None, typer.Option(help="The conversation that this goes on, by its id; 'new' begins one.")
    ] = None,
    limit: Annotated[int, typer.Option(help="The most sentences.", min=1, max=10)] = 5,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the sources, each sentence with its citations."""
    with connected(as_json) as api:
        words = " ".join(question)
        filters: Document = {"kind": kind, "path": path, "language": language, "author": author}
        filters |= {"since": since, "until": until, "as_of": as_of, "version": version, "document": document}
        body: Document = {"question": words, "limit": limit}
        body |= {name: value for name, value in filters.items() if value}
        body |= places(api, project, collection)
        if conversation:
            body["conversation_id"] = _begun(api, words) if conversation == NEW else conversation
        answer = api.post(PATH, body)
        if as_json:
            show(answer, as_json)
        else:
            render(answer)


def render(answer: Document) -> None:
    """Print an answer for a person."""
    if answer["resolved_question"] != answer["question"]:
        output.print(f"[dim]{escape(answer['resolved_question'])}[/dim]")
    for sentence in answer["sentences"]:
        marks = "".join(f"[{n}]" for n in sentence["citations"])
        output.print(f"{escape(sentence['text'])} [cyan]{escape(marks)}[/cyan]", soft_wrap=True)
    if not answer["answered"]:
        output.print("Not in the sources.")
        if answer["suggestions"]:
            output.print("\n[dim]What comes nearest:[/dim]")
        for hit in answer["suggestions"]:
            output.print(f"[dim]  {escape(cite(hit))}[/dim]", soft_wrap=True)
    else:
        output.print()
    for contradiction in answer.get("contradictions") or []:
        output.print(f"[yellow]The sources contradict each other about {escape(contradiction['about'])}:[/yellow]")
        for sentence in contradiction["statements"]:
            marks = "".join(f"[{n}]" for n in sentence["citations"])
            output.print(f"  {escape(sentence['text'])} [cyan]{escape(marks)}[/cyan]", soft_wrap=True)
        output.print()
    for cited in answer["citations"]:
        output.print(f"[cyan]{escape('[' + str(cited['n']) + ']')}[/cyan] {escape(cite(cited))}", soft_wrap=True)
    output.print(f"\n[dim]{escape(_how(answer))}[/dim]", soft_wrap=True)
    if answer["conversation_id"]:
        output.print(f"[dim]--conversation {answer['conversation_id']}[/dim]")


def _how(answer: Document) -> str:
    if answer["how"] != "extractive":
        return f"Written by {answer['how']}; each sentence was checked against its citation."
    reason = _WHY.get(answer["fallback"] or "")
    return "Quoted from the sources, not written by a language model" + (f": {reason}." if reason else ".")


def _begun(api: Api, question: str) -> str:
    return str(api.post(CONVERSATIONS, {"title": question[:200]})["id"])
