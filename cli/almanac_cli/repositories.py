"""`almanac sync` and `almanac repositories`: connect a repository, bring it up to date, watch it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from almanac_cli import hosting, projects
from almanac_cli.client import Api, Document
from almanac_cli.config import Config, locked
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, messages, show, show_table

app = typer.Typer(help="Connected repositories.", no_args_is_help=True)
syncing = typer.Typer()

POLL_SECONDS = 0.4
# A sync that just began may not have taken its lease yet.
WORKING = {"pending", "syncing", "indexing"}

Project = Annotated[str | None, typer.Option("--project", help="The project's id or name.")]
Observe = Callable[[Document], None]


@syncing.command()
def sync(
    source: Annotated[str, typer.Argument(help="An http(s) address, or the path of a repository on this machine.")],
    project: Annotated[
        str | None,
        typer.Option(help="The project's id or name; made when there is none. Default: the source's name."),
    ] = None,
    branch: Annotated[str | None, typer.Option(help="One branch. Default: the remote's own default.")] = None,
    pattern: Annotated[str | None, typer.Option(help="All branches that match, as in 'release/*'.")] = None,
    token_env: Annotated[str | None, typer.Option(help="The variable that holds an access token.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Write all of it to the index again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when everything is searchable.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 1800.0,
    as_json: AsJson = False,
) -> None:
    """Connect a repository when it is not yet, and bring it up to date."""
    with connected(as_json) as api:
        token = _token(token_env)
        url, name = address(source, api)
        found = ensure_project(api, project or name)
        repository = request_sync(api, found["id"], url, branch, pattern, token, full=full)
        if wait:
            repository = watch(api, repository, timeout, quiet=as_json)
        show(repository, as_json, *describe(repository))


@app.command("list")
def list_repositories(project: Project = None, as_json: AsJson = False) -> None:
    """List the repositories of one project, or of all."""
    with connected(as_json) as api:
        chosen = [projects.resolve(api, project)] if project else list(api.items(projects.PATH))
        items = [item for one in chosen for item in api.items(f"{projects.PATH}/{one['id']}/repositories")]
        show_table(items, as_json, ["id", "name", "state", "url", "last_synced_at"], "There are no repositories yet.")


@app.command("get")
def get_repository(repository: str, project: Project = None, as_json: AsJson = False) -> None:
    """Show a repository: its state, head, counts, and why it failed if it did."""
    with connected(as_json) as api:
        found = find(api, repository, project)
        show(found, as_json, *describe(found))


@app.command("delete")
def delete_repository(repository: str, project: Project = None, as_json: AsJson = False) -> None:
    """Disconnect a repository and delete what was indexed from it."""
    with connected(as_json) as api:
        found = find(api, repository, project)
        api.delete(_path(found))
        show({"id": repository, "status": "deleted"}, as_json, f"Deleted {repository}.")


def address(source: str, api: Api) -> tuple[str, str]:
    """Return the address to sync from and a name for it; a local path is served on loopback first."""
    if urlsplit(source).scheme in {"http", "https"}:
        return source, urlsplit(source).path.strip("/").removesuffix(".git") or source
    if "://" in source or (source.partition(":")[0].count("@") == 1 and not Path(source).exists()):
        raise CliError(
            f"'{source}' is not an http or https address.", "Use the repository's https address.", Exit.USAGE
        )
    if urlsplit(api.url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise CliError("A path can only be synced by the local stack.", "Give an https address.", Exit.USAGE)
    path = Path(source).expanduser().resolve()
    if path.is_dir() and hosting.has_uncommitted_changes(path):
        messages.print("[dim]Uncommitted changes are not synced.[/dim]")
    return hosting.serve(path), path.name


def ensure_project(api: Api, project: str) -> Document:
    """Return the project of this id or name; one of this name is made when there is none."""
    try:
        return projects.resolve(api, project)
    except CliError as error:
        if error.status is not Exit.NOT_FOUND or project.startswith("prj_"):
            raise
    created: Document = api.post(projects.PATH, {"name": project})
    return created


def request_sync(
    api: Api,
    project_id: str,
    url: str,
    branch: str | None,
    pattern: str | None,
    token: str | None,
    *,
    full: bool = False,
) -> Document:
    """Connect the repository, or ask for a sync of the one that is connected; returns it."""
    path = f"{projects.PATH}/{project_id}/repositories"
    known = _known(api, path, url, branch, pattern)
    if known is None:
        chosen = {"branch": branch, "branch_pattern": pattern, "access_token": token}
        body = {"url": url, **{name: value for name, value in chosen.items() if value is not None}}
        created: Document = api.post(path, body)
        _remember_secret(created)
        return created
    changes: Document = {
        name: value for name, value in (("url", url), ("access_token", token)) if value and known.get(name) != value
    }
    if changes:
        known = api.patch(_path(known), {**changes, "version": known["version"]})
    api.post(f"{_path(known)}/sync", {"full": True} if full else None)
    return known


def watch(
    api: Api, repository: Document, timeout: float, *, quiet: bool, is_enough: Callable[[Document], bool] | None = None
) -> Document:
    """Follow a repository until it stands still, or until what is searchable of it is enough.

    Raises `CliError` when its sync failed, or neither came about in time.
    """
    deadline = time.monotonic() + timeout
    with _progress(quiet) as draw:
        while True:
            found: Document = api.get(_path(repository))
            draw(found)
            if not is_working(found):
                return _settled(found)
            if is_enough is not None and is_enough(found):
                return found
            if time.monotonic() > deadline:
                raise CliError(
                    f"The sync is not done after {timeout:.0f} s; it goes on ({found['state']}).",
                    f"'almanac repositories get {found['id']}' tells when it is; or give a longer --timeout.",
                    Exit.TIMEOUT,
                )
            time.sleep(POLL_SECONDS)


def find(api: Api, repository: str, project: str | None = None) -> Document:
    """Return a repository by its id, wherever it is."""
    chosen = [projects.resolve(api, project)] if project else api.items(projects.PATH)
    for one in chosen:
        try:
            found: Document = api.get(f"{projects.PATH}/{one['id']}/repositories/{repository}")
        except CliError as error:
            if error.status is not Exit.NOT_FOUND:
                raise
        else:
            return found
    raise CliError(f"There is no repository {repository}.", "'almanac repositories list' shows them.", Exit.NOT_FOUND)


def describe(repository: Document) -> list[str]:
    """Return what a person wants to know of a repository, in lines of markup."""
    lines = [f"[bold]{escape(repository['name'])}[/bold] ({repository['id']}): {repository['state']}"]
    if repository.get("head"):
        lines.append(f"  at {repository['head'][:12]}, last synced {repository.get('last_synced_at') or 'never'}")
    counts = repository.get("counts") or {}
    if counts.get("files"):
        lines.append(f"  {counts['files']} files, {counts['commits']} commits, {counts['chunks']} chunks")
    skipped = counts.get("skipped") or {}
    if skipped:
        lines.append("  skipped: " + ", ".join(f"{number} {reason}" for reason, number in sorted(skipped.items())))
    if repository.get("last_error"):
        lines.append(f"  [red]{escape(repository['last_error']['message'])}[/red]")
    return lines


def _known(api: Api, path: str, url: str, branch: str | None, pattern: str | None) -> Document | None:
    """Return the repository that is this one: on loopback the port does not count, since it may have changed."""
    for candidate in api.items(path):
        chosen = (candidate.get("branch"), candidate.get("branch_pattern"))
        if chosen == (branch, pattern) and _identity(candidate["url"]) == _identity(url):
            return candidate
    return None


def _identity(url: str) -> tuple[str | None, int | None, str]:
    parts = urlsplit(url)
    port = None if parts.hostname == "127.0.0.1" else parts.port
    return parts.hostname, port, parts.path.rstrip("/").removesuffix(".git")


def is_working(repository: Document) -> bool:
    """Tell whether a sync of it goes on, or was asked for."""
    return repository["state"] in WORKING or repository["sync_requested"]


def _settled(repository: Document) -> Document:
    if repository["state"] == "synced":
        return repository
    error = repository.get("last_error") or {}
    raise CliError(
        f"The sync ended as {repository['state']}: {error.get('message', 'no reason is known')}",
        f"Mend the cause, then 'almanac sync {repository['url']}' again.",
        fields={"code": error.get("code", repository["state"])},
    )


@contextmanager
def _progress(quiet: bool) -> Iterator[Observe]:
    """Give what shows a repository's progress: a bar on a terminal, a line for each change elsewhere."""
    if quiet:
        yield lambda _repository: None
        return
    if not messages.is_terminal:
        shown: list[str] = []

        def write(repository: Document) -> None:
            line = " ".join(filter(None, (repository["state"], _done(repository))))
            if line not in shown[-1:]:
                messages.print(f"· {line}")
                shown.append(line)

        yield write
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[done]}"))
    with Progress(*columns, TimeElapsedColumn(), console=messages, transient=True) as bar:
        task = bar.add_task("waiting", total=None, done="")

        def draw(repository: Document) -> None:
            done, batches = indexed(repository)
            bar.update(
                task, description=repository["state"], total=batches or None, completed=done, done=_done(repository)
            )

        yield draw


def indexed(repository: Document) -> tuple[int, int]:
    """Return how many batches of the sync that goes on are searchable, and how many it sent."""
    run = repository.get("progress") or {}
    batches = run.get("batches") or 0
    # A batch that failed is sent again in parts, which are pending and counted as no batches.
    return max(0, batches - (run.get("pending") or 0)), batches


def _done(repository: Document) -> str:
    done, batches = indexed(repository)
    return f"{done} of {batches} batches" if batches else ""


def _path(repository: Document) -> str:
    return f"{projects.PATH}/{repository['project_id']}/repositories/{repository['id']}"


def _remember_secret(created: Document) -> None:
    webhook = created.get("webhook") or {}
    if webhook.get("secret"):
        # Another command may renew the session meanwhile: what it wrote must not be undone.
        with locked():
            config = Config.stored()
            config.webhooks[created["id"]] = webhook["secret"]
            config.save()


def _token(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise CliError(f"The variable {variable} is not set.", "Export the token under that name.", Exit.USAGE)
    return os.environ[variable]
