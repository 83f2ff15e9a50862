"""`almanac erase` and `almanac usage`: what there is of a tenant or a person, and how it goes."""

from typing import Annotated

import typer

from almanac_cli.output import AsJson, connected, escape, show, show_table

app = typer.Typer(help="Erase a tenant or yourself, for good, and see the receipts.", no_args_is_help=True)
usage = typer.Typer()

PATH = "/api/v1/erasures"
_COLUMNS = ["id", "kind", "subject_id", "state", "asked_at", "last_copy_expires_at"]


@app.command("tenant")
def erase_tenant(
    confirm: Annotated[str, typer.Option(help="The tenant's name, to be sure.")], as_json: AsJson = False
) -> None:
    """Erase the tenant that you work in, and everything of it. Nobody can undo it."""
    with connected(as_json) as api:
        erasure = api.post(PATH, {"confirm": confirm})
        show(erasure, as_json, f"{erasure['id']}: nobody is let in any more. 'almanac erase show' has the receipt.")


@app.command("me")
def erase_me(
    confirm: Annotated[str, typer.Option(help="Your e-mail address, to be sure.")], as_json: AsJson = False
) -> None:
    """Erase yourself. What you wrote for tenants stays theirs. Nobody can undo it."""
    with connected(as_json) as api:
        erasure = api.post("/api/v1/users/me/erasure", {"confirm": confirm})
        show(erasure, as_json, f"{erasure['id']}: your account is gone, and what is yours is being removed.")


@app.command("list")
def list_erasures(as_json: AsJson = False) -> None:
    """List what you asked to have erased, newest first."""
    with connected(as_json) as api:
        show_table(api.get(PATH)["items"], as_json, _COLUMNS, "You have asked for no erasure.")


@app.command("show")
def show_erasure(erasure: str, as_json: AsJson = False) -> None:
    """Show how far an erasure is, and the receipt of what it removed."""
    with connected(as_json) as api:
        found = api.get(f"{PATH}/{erasure}")
        lines = [f"{found['kind']} {found['subject_id']}: [bold]{found['state']}[/bold]"]
        lines += [f"  rows     {kind}: {count}" for kind, count in sorted(found["rows"].items())]
        lines += [f"  versions {kind}: {count}" for kind, count in sorted(found["objects"].items())]
        lines += [f"  kept until {copy['until']}: {escape(copy['what'])}" for copy in found["kept"]]
        show(found, as_json, *lines)


@usage.command("usage")
def show_usage(as_json: AsJson = False) -> None:
    """Show how much of its quotas the tenant uses."""
    with connected(as_json) as api:
        found = api.get("/api/v1/tenants/me/usage")
        if as_json:
            show(found, as_json)
            return
        show_table(found["quotas"], as_json, ["quota", "used", "limit", "unit", "exact"], "There are no quotas.")
