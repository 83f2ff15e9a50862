"""`almanac members`: who belongs to the tenant, and as what."""

from typing import Annotated

import typer

from almanac_cli.client import Api, Document
from almanac_cli.naming import the_one
from almanac_cli.output import AsJson, connected, escape, show, show_table

app = typer.Typer(help="Members: who belongs to the tenant, and as what.", no_args_is_help=True)

PATH = "/api/v1/members"

Member = Annotated[str, typer.Argument(help="A member's id or e-mail address.")]
Role = Annotated[str, typer.Argument(help="owner, admin, member, viewer or auditor.")]


@app.command("list")
def list_members(as_json: AsJson = False) -> None:
    """List the members."""
    with connected(as_json) as api:
        columns = ["person_id", "email", "name", "role", "joined_at"]
        show_table(list(api.items(PATH)), as_json, columns, "Nobody is a member: only keys work in this tenant.")


@app.command()
def role(member: Member, role: Role, as_json: AsJson = False) -> None:
    """Give a member another role."""
    with connected(as_json) as api:
        found = resolve(api, member)
        body = {"role": role, "version": found["version"]}
        changed = api.patch(f"{PATH}/{found['person_id']}", body)
        show(changed, as_json, f"{escape(changed['email'] or changed['person_id'])} is {changed['role']} now.")


@app.command()
def remove(member: Member, as_json: AsJson = False) -> None:
    """Remove a member from the tenant."""
    with connected(as_json) as api:
        found = resolve(api, member)
        api.delete(f"{PATH}/{found['person_id']}")
        document = {"person_id": found["person_id"], "status": "removed"}
        show(document, as_json, f"Removed {escape(found['email'] or found['person_id'])}.")


def resolve(api: Api, member: str) -> Document:
    """Return the member with this id or, if there is exactly one, this address."""
    if member.startswith("usr_"):
        found: Document = api.get(f"{PATH}/{member}")
        return found
    named = [each for each in api.items(PATH) if each["email"] == member.lower()]
    missing, several = f"There is no member '{member}'.", f"members have the address '{member}'"
    return the_one(named, missing, "almanac members list", several, id_field="person_id")
