"""`almanac tenants` and `almanac leave`: what one belongs to, and which of it commands work in."""

from typing import Annotated

import typer

from almanac_cli import config
from almanac_cli.client import Api, Document
from almanac_cli.config import Config
from almanac_cli.naming import the_one
from almanac_cli.output import AsJson, connected, escape, reported, show, show_table
from almanac_cli.session import create_local_tenant, remember

app = typer.Typer()
tenants = typer.Typer(help="Tenants: what you belong to, and which you work in.", no_args_is_help=True)
app.add_typer(tenants, name="tenants")

PATH = "/api/v1/tenants"


@tenants.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List the tenants that you belong to; `*` marks the one that commands work in."""
    with connected(as_json) as api:
        chosen = Config.stored().tenant_id
        rows = [{**each, "": "*" if each["tenant_id"] == chosen else " "} for each in api.items(PATH)]
        items = [{name: value for name, value in row.items() if name} for row in rows] if as_json else rows
        show_table(items, as_json, ["", "tenant_id", "tenant_name", "role", "since"], "You belong to no tenant yet.")


@tenants.command("create")
def create_tenant(
    name: str,
    local: Annotated[
        bool, typer.Option("--local", help="On the local stack, without signing in: with a key, to log in with.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a tenant that you own, and work in it."""
    with reported(as_json):
        if local:
            created = create_local_tenant(name)
            remember(created["url"], created["api_key"])
            text = f"Created {created['tenant_id']}; its key is {created['api_key']}, shown only this once."
            show(created, as_json, text)
            return
        with Api.from_config(Config.load()) as api:
            founded = api.post(PATH, {"name": name})
        choose(founded["tenant_id"])
        show(founded, as_json, f"Created {founded['tenant_id']} ({escape(name)}), which you own and now work in.")


@tenants.command()
def use(tenant: str, as_json: AsJson = False) -> None:
    """Work in a tenant from now on, by its id or name."""
    with connected(as_json) as api:
        found = _resolve(api, tenant)
        choose(found["tenant_id"])
        text = f"Working in [bold]{escape(found['tenant_name'])}[/bold] ({found['tenant_id']}) as {found['role']}."
        show(found, as_json, text)


@tenants.command()
def rename(name: str, as_json: AsJson = False) -> None:
    """Rename the tenant that you work in."""
    with connected(as_json) as api:
        current = api.get(f"{PATH}/me")
        renamed = api.patch(f"{PATH}/me", {"name": name, "version": current["version"]})
        show(renamed, as_json, f"{renamed['id']} is called {escape(renamed['name'])} now.")


@tenants.command()
def transfer(
    person: Annotated[str, typer.Argument(help="The member's id, `usr_...`.")], as_json: AsJson = False
) -> None:
    """Hand the tenant over: the member becomes an owner, you become an admin."""
    with connected(as_json) as api:
        owner = api.post(f"{PATH}/me/transfer", {"person_id": person})
        show(owner, as_json, f"{escape(owner['name'] or owner['email'])} owns the tenant now; you are an admin.")


@app.command()
def leave(as_json: AsJson = False) -> None:
    """Leave the tenant that you work in. Its last owner hands it over first."""
    with connected(as_json) as api:
        left = api.get(f"{PATH}/me")
        api.post("/api/v1/members/me/leave")
        choose("")
        show({"tenant_id": left["id"], "status": "left"}, as_json, f"Left {escape(left['name'])} ({left['id']}).")


def choose(tenant_id: str) -> None:
    """Remember which tenant commands work in."""
    with config.locked():
        stored = Config.stored()
        stored.tenant_id = tenant_id
        stored.save()


def _resolve(api: Api, tenant: str) -> Document:
    named = [each for each in api.items(PATH) if tenant in {each["tenant_id"], each["tenant_name"]}]
    missing, several = f"You belong to no tenant '{tenant}'.", f"tenants are called '{tenant}'"
    return the_one(named, missing, "almanac tenants list", several, id_field="tenant_id")
