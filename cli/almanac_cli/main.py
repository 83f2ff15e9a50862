"""Assemble the command: the stack's commands and the client's, side by side."""

import typer

from almanac_cli import stack

app = typer.Typer(
    help="Almanac's local stack and a client of its API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (stack.app,):
    app.registered_commands.extend(commands.registered_commands)
    app.registered_groups.extend(commands.registered_groups)


def main() -> None:
    """Run the command line."""
    app()
