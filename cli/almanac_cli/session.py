"""`almanac login`, `health`: who the client is and whether the API works."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from almanac_cli import people
from almanac_cli.client import Api, Document
from almanac_cli.config import Config, path
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, escape, local_problems, reported, show

if TYPE_CHECKING:
    from infra.local.stack import StackInfo

app = typer.Typer()

LOCAL_TENANT = "local"


@app.command()
def login(
    url: Annotated[str | None, typer.Option(help="The address of the API.")] = None,
    email: people.Email = None,
    api_key: Annotated[str | None, typer.Option(help="A key `alm_...`, instead of address and password.")] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="Use the local stack: with --email as a person, else with a tenant and key made for you."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign in as a person, with e-mail address and password, or remember an API key."""
    with reported(as_json):
        if api_key is None and (email is not None or not local):
            people.greet(people.log_in(people.address_of(url, local), email), as_json)
            return
        tenant = remember(people.address_of(url, local), api_key) if api_key else ensure_local_login()
        config = Config.load()
        document = {"url": config.url, "tenant_id": tenant["id"], "tenant": tenant["name"], "config": str(path())}
        text = f"Logged in to {escape(config.url)} as [bold]{escape(tenant['name'])}[/bold] ({tenant['id']})."
        show(document, as_json, text)


@app.command()
def health(
    deep: Annotated[bool, typer.Option("--deep", help="Look at the table, the bucket and the queues too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the API whether it works."""
    with reported(as_json):
        config = Config.load()
        url = config.url or _local_stack().api_url
        with Api(url) as api:
            found = api.get("/health", deep="true" if deep else None)
        parts = (
            f"  {name}: {part['status']} ({part['milliseconds']} ms)" for name, part in found.get("parts", {}).items()
        )
        show(found, as_json, f"{escape(url)}: {found['status']} (version {found['version']}, {found['stage']})", *parts)


def remember(url: str, api_key: str) -> Document:
    """Check the key against the API and write both down; returns the tenant."""
    with Api(url, api_key) as api:
        tenant: Document = api.get("/api/v1/tenants/me")
    config = Config.stored()
    kept = config.webhooks if config.tenant_id == tenant["id"] else {}
    Config(url.rstrip("/"), api_key, tenant["id"], kept).save()
    return tenant


def local_url() -> str:
    """Return the address of the local stack's API."""
    return _local_stack().api_url


def ensure_local_login() -> Document:
    """Log in to the local stack: with the key at hand when it is valid there, with a new tenant otherwise."""
    url = _local_stack().api_url
    config = Config.load()
    if config.api_key:
        try:
            return remember(url, config.api_key)
        except CliError as error:
            if error.status is not Exit.UNAUTHORIZED:
                raise
    created = create_local_tenant(LOCAL_TENANT)
    return remember(url, created["api_key"])


def create_local_tenant(name: str) -> Document:
    """Invoke the local stack's `IdentityAdminFunction`; returns `url`, `tenant_id`, `key_id` and `api_key`."""
    from infra.local.deploy import client, port_of

    stack = _local_stack()
    answer = client("lambda", port_of(stack.endpoint_url)).invoke(
        FunctionName=stack.outputs["IdentityAdminFunction"],
        Payload=json.dumps({"action": "create_tenant", "name": name}).encode(),
    )
    result: Document = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise CliError(
            str(result.get("errorMessage", "The tenant was not created.")), "Look at 'almanac logs identity-admin'."
        )
    return {"url": stack.api_url, **result}


def _local_stack() -> "StackInfo":
    from infra.local.stack import LocalStack

    with local_problems():
        return LocalStack.default().info()
