"""`almanac demo`: the main job from nothing, on the local stack. What stands already is used again.

A repository of any size is shown within minutes: what answers questions is indexed first, and the demo searches what is
there when its patience ends.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from almanac_cli import config, repositories, search, session
from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError
from almanac_cli.output import AsJson, escape, local_problems, messages, output, reported, show

if TYPE_CHECKING:
    from infra.local.stack import StackInfo

app = typer.Typer()

PROJECT = "demo"
HITS = 3
WARM_UP = "hello"
PATIENCE_SECONDS = 60.0
"""With what comes before, a first run on two cores is done within three minutes."""
FIRST_BATCH_SECONDS = 900.0
WHOLE_SECONDS = 7200.0
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
    patience: Annotated[
        float, typer.Option(help="Seconds of indexing to wait for; then what is searchable is searched.", min=0)
    ] = PATIENCE_SECONDS,
    wait: Annotated[bool, typer.Option("--wait", help="Search when everything is searchable.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local stack, sync a repository, search it, and leave everything running."""
    with reported(as_json):
        info = start()
        with _own_login() as tenant, Api.from_config(config.Config.load()) as api, _warming_up(config.Config.load()):
            repository = synced(api, repo or str(_own_repository()), None if wait else patience, quiet=as_json)
            chosen = _queries(query, is_own=repo is None)
            searches = [(text, _search(api, repository, text)) for text in chosen]
        _remember_login(info.api_url)
        document = {
            "api_url": info.api_url,
            "docs_url": f"{info.api_url}/docs",
            "tenant_id": tenant["id"],
            "repository": repository,
            "searchable": _searchable(repository),
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


def synced(api: Api, source: str, patience: float | None, *, quiet: bool) -> Document:
    """Connect the source in the demo's project and wait until enough of it is searchable; for all, without patience."""
    url, name = repositories.address(source, api)
    messages.print(f"[dim]· syncing {escape(name)}[/dim]")
    project = repositories.ensure_project(api, PROJECT)
    asked = repositories.request_sync(api, project["id"], url, None, None, None)
    if patience is None:
        return repositories.watch(api, asked, WHOLE_SECONDS, quiet=quiet)
    limit = FIRST_BATCH_SECONDS + patience
    return repositories.watch(api, asked, limit, quiet=quiet, is_enough=_out_of_patience(patience))


def _out_of_patience(seconds: float) -> Callable[[Document], bool]:
    """Return what tells that a sync went on for so long, this command's time or another's, and that it shows."""

    def is_enough(repository: Document) -> bool:
        done, _ = repositories.indexed(repository)
        if done == 0:
            return False
        began = datetime.fromisoformat(repository["progress"]["started_at"])
        return (datetime.now(UTC) - began).total_seconds() >= seconds

    return is_enough


def _searchable(repository: Document) -> Document:
    done, batches = repositories.indexed(repository)
    return {"complete": not repositories.is_working(repository), "indexed_batches": done, "batches": batches}


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


@contextmanager
def _warming_up(login: config.Config) -> Iterator[None]:
    """Have search load its model meanwhile: once every processor embeds, that would outlast a caller's patience."""

    def ask() -> None:
        with suppress(CliError), Api.from_config(login) as api:
            api.post(search.PATH, {"q": WARM_UP, "limit": 1})

    thread = Thread(target=ask, name="warm-up")
    thread.start()
    try:
        yield
    finally:
        thread.join()


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
    if remark := _unfinished(repository):
        output.print(remark)
    for text, found in searches:
        output.rule(f"[bold]{escape(text)}[/bold]", align="left")
        search.render(found)
    output.print(f"API   {info.api_url}/api/v1\nDocs  {info.api_url}/docs")
    output.print("Search on with 'almanac search WORDS'; 'make down' stops the stack.")


def _unfinished(repository: Document) -> str | None:
    """Return how much of a repository is searchable while its sync goes on, and how to follow it."""
    searchable = _searchable(repository)
    if searchable["complete"]:
        return None
    return (
        f"[yellow]{searchable['indexed_batches']} of {searchable['batches']} batches are searchable[/yellow], READMEs "
        "and docs before code, tests, commits and data. The rest goes on by itself: run the demo again for more, or "
        f"follow it with 'almanac watch repository:{repository['id']}'."
    )


def _own_repository() -> Path:
    from infra.template import ROOT

    return ROOT
