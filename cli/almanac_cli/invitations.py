"""`almanac invitations`: asking others into the tenant, and coming into one."""

from typing import Annotated

import typer

from almanac_cli.client import Document
from almanac_cli.output import AsJson, connected, escape, show, show_table
from almanac_cli.tenants import choose

app = typer.Typer(help="Invitations: ask others into the tenant, or come into one.", no_args_is_help=True)

PATH = "/api/v1/invitations"

Invitation = Annotated[str, typer.Argument(help="The invitation's id, `inv_...`.")]


@app.command("list")
def list_invitations(as_json: AsJson = False) -> None:
    """List the invitations, and what became of each."""
    with connected(as_json) as api:
        columns = ["id", "email", "role", "state", "mail", "mail_cause", "expires_at"]
        show_table(list(api.items(PATH)), as_json, columns, "Nobody has been invited.")


@app.command()
def create(
    email: str,
    role: Annotated[str, typer.Option(help="owner, admin, member, viewer or auditor.")] = "member",
    days: Annotated[int, typer.Option(help="For how long it is good, at most 30.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Invite an address into the tenant, in the place of what it was sent before."""
    with connected(as_json) as api:
        _show_sent(api.post(PATH, {"email": email, "role": role, "expires_in_days": days}), as_json)


@app.command()
def resend(invitation: Invitation, as_json: AsJson = False) -> None:
    """Send an invitation again, with a new token."""
    with connected(as_json) as api:
        _show_sent(api.post(f"{PATH}/{invitation}/resend"), as_json)


@app.command()
def revoke(invitation: Invitation, as_json: AsJson = False) -> None:
    """Take an invitation back."""
    with connected(as_json) as api:
        api.delete(f"{PATH}/{invitation}")
        show({"id": invitation, "status": "revoked"}, as_json, f"Revoked {escape(invitation)}.")


@app.command()
def accept(
    token: Annotated[str, typer.Argument(help="What you were sent, `almi_...`.")], as_json: AsJson = False
) -> None:
    """Become a member of the tenant that invited you, and work in it."""
    with connected(as_json) as api:
        joined = api.post(f"{PATH}/accept", {"token": token})
        choose(joined["tenant_id"])
        name = escape(joined["tenant_name"])
        show(joined, as_json, f"You belong to [bold]{name}[/bold] ({joined['tenant_id']}) as {joined['role']}.")


def _show_sent(sent: Document, as_json: bool) -> None:
    lines = {
        "not_configured": f"No mail is configured: hand this over, it is shown only this once.\n{sent['token']}",
        "sent": "The letter is on its way.",
    }
    failed = f"The letter was not sent: {escape(sent['mail_cause'] or 'it is still under way')} Try 'resend'."
    first = f"Invited {escape(sent['email'])} as {sent['role']} until {sent['expires_at'][:10]} ({sent['id']})."
    show(sent, as_json, first, lines.get(sent["mail"], failed))
