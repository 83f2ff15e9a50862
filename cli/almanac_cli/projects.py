"""`almanac projects`: list, create, get, delete, visibility, members."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from almanac_cli.client import Api, Document
from almanac_cli.naming import by_id_or_name
from almanac_cli.output import AsJson, connected, escape, show, show_fields, show_table

app = typer.Typer(help="Projects: what everything else belongs to.", no_args_is_help=True)

members = typer.Typer(help="Who sees a private project.", no_args_is_help=True)
app.add_typer(members, name="members")

PATH = "/api/v1/projects"


class Visibility(StrEnum):
    """Who sees a project."""

    TENANT = "tenant"
    PRIVATE = "private"


@app.command("list")
def list_projects(as_json: AsJson = False) -> None:
    """List the projects."""
    with connected(as_json) as api:
        show_table(
            list(api.items(PATH)), as_json, ["id", "name", "visibility", "description"], "There are no projects yet."
        )


@app.command()
def create(
    name: str,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    private: Annotated[bool, typer.Option("--private", help="Only you and who you let in see it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    visibility = {"visibility": Visibility.PRIVATE} if private else {}
    with connected(as_json) as api:
        project = api.post(PATH, {"name": name, "description": description, **visibility})
        show(project, as_json, f"Created {project['id']} ({escape(project['name'])}).")


@app.command()
def get(project: str, as_json: AsJson = False) -> None:
    """Show a project, by its id or name."""
    with connected(as_json) as api:
        found = resolve(api, project)
        show_fields(found, as_json)


@app.command()
def delete(project: str, as_json: AsJson = False) -> None:
    """Delete a project, by its id or name, and everything under it, also from search."""
    with connected(as_json) as api:
        found = resolve(api, project)
        api.delete(f"{PATH}/{found['id']}")
        show({"id": found["id"], "status": "deleted"}, as_json, f"Deleted {found['id']}.")


@app.command()
def visibility(project: str, who: Visibility, as_json: AsJson = False) -> None:
    """Make a project private, or let everybody in the tenant see it, by its id or name.

    Who makes it private is its first member; when it ceases to be private it has no members any more.
    """
    with connected(as_json) as api:
        found = resolve(api, project)
        changed = api.patch(f"{PATH}/{found['id']}", {"version": found["version"], "visibility": who})
        seen = "its members see it" if who is Visibility.PRIVATE else "everybody in the tenant sees it"
        show(changed, as_json, f"{found['id']}: {seen}.")


@members.command("list")
def list_members(project: str, as_json: AsJson = False) -> None:
    """List who sees a private project, beside owners and admins."""
    with connected(as_json) as api:
        found = list(api.items(f"{PATH}/{resolve(api, project)['id']}/members"))
        show_table(
            found, as_json, ["actor_id", "added_at", "added_by"], "The project is not private, or has no members."
        )


@members.command()
def add(project: str, actor: str, as_json: AsJson = False) -> None:
    """Let a person (usr_...), a service account (svc_...) or an API key (key_...) see a private project."""
    with connected(as_json) as api:
        project_id = resolve(api, project)["id"]
        member = api.request("PUT", f"{PATH}/{project_id}/members/{quote(actor, safe='')}")
        show(member, as_json, f"{escape(actor)} sees {project_id}.")


@members.command()
def remove(project: str, actor: str, as_json: AsJson = False) -> None:
    """Take somebody out of a private project, with effect from its next call on."""
    with connected(as_json) as api:
        project_id = resolve(api, project)["id"]
        api.delete(f"{PATH}/{project_id}/members/{quote(actor, safe='')}")
        removed = {"project_id": project_id, "actor_id": actor, "status": "removed"}
        show(removed, as_json, f"{escape(actor)} does not see {project_id} any more.")


def resolve(api: Api, project: str) -> Document:
    """Return the project with this id or, if there is exactly one, this name."""
    return by_id_or_name(api, PATH, "prj_", "project", project)
