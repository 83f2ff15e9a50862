"""Assemble the command: the stack's commands and the client's, side by side."""

import typer

from almanac_cli import (
    archives,
    ask,
    audit,
    collections,
    commitments,
    demo,
    documents,
    erasure,
    hooks,
    index,
    invitations,
    members,
    messages,
    people,
    projects,
    repositories,
    search,
    secrets,
    session,
    stack,
    tenants,
    upload,
    watch,
)
from almanac_cli.errors import EXIT_HELP

app = typer.Typer(
    help="Almanac's local stack and a client of its API.",
    epilog=EXIT_HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
GROUPS = [
    stack.app,
    demo.app,
    session.app,
    people.app,
    tenants.app,
    repositories.syncing,
    upload.app,
    search.app,
    ask.app,
    watch.app,
    commitments.app,
    hooks.app,
    archives.app,
    erasure.usage,
]
for commands in GROUPS:
    app.registered_commands.extend(commands.registered_commands)
    app.registered_groups.extend(commands.registered_groups)
app.add_typer(members.app, name="members")
app.add_typer(invitations.app, name="invitations")
app.add_typer(projects.app, name="projects")
app.add_typer(repositories.app, name="repositories")
app.add_typer(messages.checkpoints, name="checkpoints")
app.add_typer(messages.messages, name="messages")
app.add_typer(documents.app, name="documents")
app.add_typer(collections.app, name="collections")
app.add_typer(index.app, name="index")
app.add_typer(audit.app, name="audit")
app.add_typer(erasure.app, name="erase")
app.add_typer(secrets.secrets, name="secrets")
app.add_typer(secrets.provider_keys, name="provider-keys")


def main() -> None:
    """Run the command line."""
    app()
