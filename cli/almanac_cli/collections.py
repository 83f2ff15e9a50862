"""`almanac collections`: documents that belong together, and who sees them."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from almanac_cli import projects
from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.naming import by_id_or_name
from almanac_cli.output import AsJson, connected, escape, show, show_fields, show_table
from almanac_cli.projects import Visibility

app = typer.Typer(help="Collections: documents that belong together.", no_args_is_help=True)

PATH = "/api/v1/collections"
Name = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's id or name.")]


class Right(StrEnum):
    """What a member of a private collection may do with its documents."""

    READ = "read"
    WRITE = "write"


@app.command("list")
def list_collections(
    project: Annotated[str | None, typer.Option(help="Only of this project: its id or name.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the collections."""
    with connected(as_json) as api:
        within = projects.resolve(api, project)["id"] if project else None
        found = list(api.items(PATH, project_id=within))
        columns = ["id", "name", "visibility", "project_id", "description"]
        show_table(found, as_json, columns, "There are no collections yet.")


@app.command()
def create(
    name: str,
    project: Annotated[str | None, typer.Option(help="The project that it belongs to, for good.")] = None,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    private: Annotated[bool, typer.Option("--private", help="Only you and who you let in see it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a collection."""
    with connected(as_json) as api:
        body: Document = {"name": name, "description": description}
        body |= {"project_id": projects.resolve(api, project)["id"]} if project else {}
        body |= {"visibility": Visibility.PRIVATE} if private else {}
        created = api.post(PATH, body)
        show(created, as_json, f"Created {created['id']} ({escape(created['name'])}).")


@app.command("show")
def show_collection(collection: Name, as_json: AsJson = False) -> None:
    """Show a collection, and how many documents are in it."""
    with connected(as_json) as api:
        found = api.get(f"{PATH}/{resolve(api, collection)['id']}")
        show_fields(found, as_json)


@app.command()
def update(
    collection: Name,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    description: Annotated[str | None, typer.Option(help="Another description.")] = None,
    visibility: Annotated[Visibility | None, typer.Option(help="Who sees it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a collection's name, description, or who sees it."""
    with connected(as_json) as api:
        given = {"name": name, "description": description, "visibility": visibility}
        changes = {field: value for field, value in given.items() if value is not None}
        if not changes:
            raise CliError("Nothing is to change.", "Give --name, --description or --visibility.", Exit.USAGE)
        found = api.get(f"{PATH}/{resolve(api, collection)['id']}")
        changed = api.patch(f"{PATH}/{found['id']}", {"version": found["version"], **changes})
        show(changed, as_json, f"Changed {found['id']}.")


@app.command()
def delete(
    collection: Name,
    documents: Annotated[bool, typer.Option("--documents", help="With all documents that are in it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a collection."""
    with connected(as_json) as api:
        found = resolve(api, collection)
        api.delete(f"{PATH}/{found['id']}", documents="delete" if documents else None)
        show({"id": found["id"], "status": "deleted"}, as_json, f"Deleted {found['id']}.")


@app.command()
def members(collection: Name, as_json: AsJson = False) -> None:
    """List who sees a private collection, beside owners and admins."""
    with connected(as_json) as api:
        found = list(api.items(f"{PATH}/{resolve(api, collection)['id']}/members"))
        columns = ["actor_id", "right", "added_at", "added_by"]
        show_table(found, as_json, columns, "The collection is not private, or has no members.")


@app.command()
def add(
    collection: Name,
    actor: str,
    right: Annotated[Right, typer.Option(help="What the member may do.")] = Right.READ,
    as_json: AsJson = False,
) -> None:
    """Let a person (usr_...), a service account (svc_...) or an API key (key_...) see a private collection."""
    with connected(as_json) as api:
        path = f"{PATH}/{resolve(api, collection)['id']}/members/{quote(actor, safe='')}"
        member = api.request("PUT", path, body={"right": right})
        show(member, as_json, f"{escape(actor)} may {right} in {escape(collection)}.")


@app.command()
def remove(collection: Name, actor: str, as_json: AsJson = False) -> None:
    """Take somebody out of a private collection, with effect from its next call on."""
    with connected(as_json) as api:
        collection_id = resolve(api, collection)["id"]
        api.delete(f"{PATH}/{collection_id}/members/{quote(actor, safe='')}")
        removed = {"collection_id": collection_id, "actor_id": actor, "status": "removed"}
        show(removed, as_json, f"{escape(actor)} does not see {collection_id} any more.")


def resolve(api: Api, collection: str) -> Document:
    """Return the collection with this id or, if there is exactly one, this name."""
    return by_id_or_name(api, PATH, "col_", "collection", collection)
