"""`almanac demo`: the main job from nothing, on the local stack. What stands already is used again."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from almanac_cli import config, repositories, search, session
from almanac_cli.client import Api, Document
from almanac_cli.output import AsJson, escape, local_problems, messages, output, reported, show

if TYPE_CHECKING:
    from infra.local.stack import StackInfo

app = typer.Typer()

PROJECT = "demo"
HITS = 3
SYNC_SECONDS = 900.0
OWN_QUERIES = (
    "how is a webhook's signature verified",
    "what happens when a worker dies in the middle of a sync",
    "parse bearer token",
)
QUERIES = ("how do I install and run this", "where are errors handled", "configuration settings")


@app.command()
def demo(
    repo: Annotated[str | None, typer.Option(help="An http(s) address or a path. Default: Almanac itself.")] = None,
    query: Annotated[list[str] | None, typer.Option(help="What to search for; repeatable, or split by '||'.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start the local stack, sync a repository, search it, and leave everything running."""
    with reported(as_json):
        info = start()
        with _own_login() as tenant, Api.from_config(config.Config.load()) as api:
            repository = synced(api, repo or str(_own_repository()), quiet=as_json)
            chosen = _queries(query, is_own=repo is None)
            searches = [(text, _search(api, repository, text)) for text in chosen]
        _remember_login(info.api_url)
        document = {
            "api_url": info.api_url,
            "docs_url": f"{info.api_url}/docs",
            "tenant_id": tenant["id"],
            "repository": repository,
            "searches": [{"query": text, **found} for text, found in searches],
        }
        if as_json:
            show(document, as_json)
        else:
            _render(info, repository, searches)


def start() -> "StackInfo":
    """Bring the local stack up, saying what it does."""
    from infra.local.stack import LocalStack

    with local_problems(), messages.status("looking at the stack") as status:

        def report(step: str) -> None:
            messages.print(f"[dim]· {escape(step)}[/dim]")
            status.update(step)

        return LocalStack.default().up(report)


def synced(api: Api, source: str, *, quiet: bool) -> Document:
    """Connect the source in the demo's project and wait until it is searchable."""
    url, name = repositories.address(source, api)
    messages.print(f"[dim]· syncing {escape(name)}[/dim]")
    project = repositories.ensure_project(api, PROJECT)
    asked = repositories.request_sync(api, project["id"], url, None, None, None)
    return repositories.watch(api, asked, SYNC_SECONDS, quiet=quiet)


@contextmanager
def _own_login() -> Iterator[Document]:
    """Work with a login of the demo's own: a person's, maybe to a deployed stack, stays as it is."""
    from infra.local.layout import Layout

    names = ("ALMANAC_CONFIG", "ALMANAC_URL", "ALMANAC_API_KEY")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["ALMANAC_CONFIG"] = str(Layout.default().home / "demo.toml")
    try:
        yield session.ensure_local_login()
    finally:
        del os.environ["ALMANAC_CONFIG"]
        os.environ.update(before)


def _remember_login(api_url: str) -> None:
    """Log a person in to the demo's tenant who is logged in nowhere else."""
    from infra.local.layout import Layout

    current = config.Config.load()
    if current.session is None and current.url in {"", api_url}:
        own = config.Config.load(Layout.default().home / "demo.toml")
        own.save()


def _queries(given: list[str] | None, *, is_own: bool) -> Sequence[str]:
    chosen = [part.strip() for text in given or [] for part in text.split("||") if part.strip()]
    return chosen or (OWN_QUERIES if is_own else QUERIES)


def _search(api: Api, repository: Document, text: str) -> Document:
    found: Document = api.post(search.PATH, {"q": text, "project": [repository["project_id"]], "limit": HITS})
    return found


def _render(info: "StackInfo", repository: Document, searches: Sequence[tuple[str, Document]]) -> None:
    for line in repositories.describe(repository):
        output.print(line)
    for text, found in searches:
        output.rule(f"[bold]{escape(text)}[/bold]", align="left")
        search.render(found)
    output.print(f"API   {info.api_url}/api/v1\nDocs  {info.api_url}/docs")
    output.print("Search on with 'almanac search WORDS'; 'make down' stops the stack.")


def _own_repository() -> Path:
    from infra.template import ROOT

    return ROOT
