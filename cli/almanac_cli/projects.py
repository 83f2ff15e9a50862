"""`almanac projects`: list, create, get, delete."""

from typing import Annotated

import typer

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, show, show_table

app = typer.Typer(help="Projects: what everything else belongs to.", no_args_is_help=True)

PATH = "/api/v1/projects"


@app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """List the projects."""
    with connected(as_json) as api:
        show_table(list(api.items(PATH)), as_json, ["id", "name", "description"], "There are no projects yet.")


@app.command()
def create(
    name: str, description: Annotated[str, typer.Option(help="What it is about.")] = "", as_json: AsJson = False
) -> None:
    """Create a project."""
    with connected(as_json) as api:
        project = api.post(PATH, {"name": name, "description": description})
        show(project, as_json, f"Created {project['id']} ({escape(project['name'])}).")


@app.command()
def get(project: str, as_json: AsJson = False) -> None:
    """Show a project, by its id or name."""
    with connected(as_json) as api:
        found = resolve(api, project)
        show(found, as_json, *(f"{name}: {escape(str(value))}" for name, value in found.items()))


@app.command()
def delete(project: str, as_json: AsJson = False) -> None:
    """Delete a project, by its id or name, and everything under it, also from search."""
    with connected(as_json) as api:
        found = resolve(api, project)
        api.delete(f"{PATH}/{found['id']}")
        show({"id": found["id"], "status": "deleted"}, as_json, f"Deleted {found['id']}.")


def resolve(api: Api, project: str) -> Document:
    """Return the project with this id or, if there is exactly one, this name."""
    if project.startswith("prj_"):
        found: Document = api.get(f"{PATH}/{project}")
        return found
    named = [candidate for candidate in api.items(PATH) if candidate["name"] == project]
    if not named:
        raise CliError(f"There is no project '{project}'.", "'almanac projects list' shows them.", Exit.NOT_FOUND)
    if len(named) > 1:
        ids = ", ".join(candidate["id"] for candidate in named)
        raise CliError(f"{len(named)} projects are called '{project}'.", f"Give an id: {ids}.", Exit.USAGE)
    return named[0]
