"""`almanac sign-up`, `logout`, `whoami`: persons at the command line. `almanac login` is in `session`."""

import sys
from typing import Annotated, Any

import typer

from almanac_cli import config
from almanac_cli.client import Api, Document
from almanac_cli.config import Config, path
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, escape, messages, reported, show
from almanac_cli.sign_in import AsPerson, opened

app = typer.Typer()

Email = Annotated[str | None, typer.Option("--email", help="Your address; asked for when it is not given.")]


@app.command("sign-up")
def sign_up(
    url: Annotated[str | None, typer.Option(help="The address of the API.")] = None,
    local: Annotated[bool, typer.Option("--local", help="Sign up at the local stack.")] = False,
    email: Email = None,
    name: Annotated[str | None, typer.Option(help="What others call you; asked for when it is not given.")] = None,
    code: Annotated[str | None, typer.Option(help="The code that was sent; without it, one is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign up with an e-mail address and a password, and log in."""
    with reported(as_json):
        address = address_of(url, local)
        email = email or ask("E-mail")
        with Api(address) as api:
            if code is None:
                sent = api.post("/api/v1/auth/sign-up", {"email": email})
                messages.print(escape(sent["detail"]))
                code = ask("Code")
            body = {"email": email, "code": code, "name": name or ask("Name"), "password": _new_password()}
            signed_in = api.post("/api/v1/auth/confirm", body)
        greet(keep(address, email, signed_in), as_json)


@app.command()
def logout(
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End your sessions on all machines.")] = False,
    as_json: AsJson = False,
) -> None:
    """End the session, and forget it. An API key is only forgotten."""
    with reported(as_json):
        stored = Config.stored()
        session = stored.session
        if session is None and not stored.api_key:
            raise CliError("Nobody is logged in.", "There is nothing to end.", Exit.UNAUTHORIZED)
        if session is not None:
            if everywhere:
                with Api(stored.url, person=AsPerson(stored.url, session)) as api:
                    api.post("/api/v1/users/me/sign-out-everywhere")
            else:
                with Api(stored.url) as api:
                    api.post("/api/v1/auth/sign-out", {"refresh_token": session.refresh_token})
        with config.locked():
            stored = Config.stored()
            stored.session, stored.api_key, stored.tenant_id = None, "", ""
            stored.save()
        document = {"url": stored.url, "ended": session is not None}
        show(document, as_json, "Logged out." if session is not None else "Forgot the key; it is still valid.")


@app.command()
def whoami(as_json: AsJson = False) -> None:
    """Tell who is logged in, and for which tenant."""
    with reported(as_json):
        remembered = Config.load()
        with Api.from_config(remembered) as api:
            person = None if remembered.api_key else api.get("/api/v1/users/me")
            tenant = _tenant(api)
        document = {"url": remembered.url, "person": person, "tenant": tenant}
        show(document, as_json, *_told(remembered.url, person, tenant))


def log_in(url: str, email: str | None) -> Document:
    """Sign in with a password, and the code of a second factor where there is one; returns what `keep` does."""
    email = email or ask("E-mail")
    with Api(url) as api:
        answer = api.post("/api/v1/auth/sign-in", {"email": email, "password": ask("Password", hidden=True)})
        if answer["status"] == "mfa_required":
            body = {"challenge": answer["challenge"], "code": ask("Code of your authenticator")}
            answer = api.post("/api/v1/auth/sign-in/mfa", body)
    return keep(url, email, answer)


def keep(url: str, email: str, signed_in: Document) -> Document:
    """Remember a session instead of any key; returns who it is and the tenants to choose from."""
    session = opened(email, signed_in)
    with config.locked():
        stored = Config.stored()
        same = stored.url == url
        stored.url, stored.api_key, stored.session = url, "", session
        stored.tenant_id = stored.tenant_id if same else ""
        stored.webhooks = stored.webhooks if same else {}
        stored.save()
    with Api(url, person=AsPerson(url, session)) as api:
        tenants: list[Document] = api.get("/api/v1/tenants")["items"]
    ids = [tenant["tenant_id"] for tenant in tenants]
    with config.locked():
        stored = Config.stored()
        if stored.tenant_id not in ids:
            stored.tenant_id = ids[0] if len(ids) == 1 else ""
            stored.save()
    chosen = {"tenant_id": stored.tenant_id or None, "tenants": tenants, "config": str(path())}
    return {"url": url, "person_id": signed_in["person_id"], "email": email, **chosen}


def greet(document: Document, as_json: bool) -> None:
    """Say who is logged in, and how to come by a tenant."""
    line = f"Logged in to {escape(document['url'])} as [bold]{escape(document['email'])}[/bold]."
    if document["tenant_id"]:
        hint = f"Your tenant is {document['tenant_id']}."
    elif document["tenants"]:
        hint = "Choose a tenant: 'almanac tenants use ten_...'; 'almanac tenants list' shows yours."
    else:
        hint = "You have no tenant: 'almanac tenants create NAME', or accept an invitation."
    show(document, as_json, line, hint)


def address_of(url: str | None, local: bool) -> str:
    """Return the API's address as the options give it, or the one that is remembered; raises `CliError`."""
    from almanac_cli.session import local_url

    if local:
        return local_url()
    known = url or Config.load().url
    if not known:
        raise CliError("An address is missing.", "Give --url ADDRESS, or --local.", Exit.USAGE)
    return known.rstrip("/")


def _tenant(api: Api) -> Document | None:
    try:
        tenant: Document = api.get("/api/v1/tenants/me")
    except CliError as error:
        if error.fields.get("code") == "tenant_not_chosen":
            return None
        raise
    return tenant


def _told(url: str, person: Document | None, tenant: Document | None) -> list[str]:
    lines = [f"at {escape(url)}"]
    if person:
        called = f"{person['name']} <{person['email']}>" if person["name"] else person["email"]
        lines.insert(0, f"[bold]{escape(called)}[/bold] ({person['id']})")
    if tenant:
        caller = tenant["caller"]
        role = f", as {caller['role']}" if caller["role"] else f", with the key {caller['key_id']}"
        lines.append(f"in {escape(tenant['name'])} ({tenant['id']}){role}")
    elif person:
        lines.append("in no tenant: 'almanac tenants list', 'almanac tenants use ten_...'")
    return lines


def _new_password() -> str:
    return ask("Password", hidden=True, confirmed=True)


def ask(what: str, *, hidden: bool = False, confirmed: bool = False) -> str:
    """Ask whoever sits there, or take the next line of what a script gives; raises `CliError` when there is none."""
    if sys.stdin.isatty():
        given: Any = typer.prompt(what, hide_input=hidden, confirmation_prompt=confirmed, err=True)
        return str(given)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise CliError(
            f"{what}: nothing was given.", "Give it as an option, or as a line of standard input.", Exit.USAGE
        )
    return line
