"""`almanac checkpoints` and `almanac messages`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, show, show_fields, show_table
from almanac_cli.projects import resolve

checkpoints = typer.Typer(help="Checkpoints: where messages are kept.", no_args_is_help=True)
messages = typer.Typer(help="Messages: what a team writes down.", no_args_is_help=True)

CHECKPOINTS = "/api/v1/checkpoints"
MESSAGES = "/api/v1/messages"

Project = Annotated[str, typer.Option("--project", help="The project's id or name.")]
Checkpoint = Annotated[str, typer.Option("--checkpoint", help="The checkpoint's id.")]


@checkpoints.command("list")
def list_checkpoints(project: Project, as_json: AsJson = False) -> None:
    """List a project's checkpoints."""
    with connected(as_json) as api:
        items = list(api.items(CHECKPOINTS, project_id=resolve(api, project)["id"]))
        show_table(items, as_json, ["id", "name", "description"], "There are no checkpoints yet.")


@checkpoints.command("create")
def create_checkpoint(
    name: str,
    project: Project,
    description: Annotated[str, typer.Option(help="What it is about.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create a checkpoint in a project."""
    with connected(as_json) as api:
        body = {"project_id": resolve(api, project)["id"], "name": name, "description": description}
        created = api.post(CHECKPOINTS, body)
        show(created, as_json, f"Created {created['id']}.")


@checkpoints.command("get")
def get_checkpoint(checkpoint: str, as_json: AsJson = False) -> None:
    """Show a checkpoint."""
    with connected(as_json) as api:
        found = api.get(f"{CHECKPOINTS}/{checkpoint}")
        show_fields(found, as_json)


@checkpoints.command("delete")
def delete_checkpoint(checkpoint: str, as_json: AsJson = False) -> None:
    """Delete a checkpoint and its messages, also from search."""
    with connected(as_json) as api:
        api.delete(f"{CHECKPOINTS}/{checkpoint}")
        show({"id": checkpoint, "status": "deleted"}, as_json, f"Deleted {checkpoint}.")


@messages.command("add")
def add_message(
    checkpoint: Checkpoint,
    content: Annotated[str | None, typer.Argument(help="The text; '-' or nothing reads standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="Read the text from a file.")] = None,
    author: Annotated[str | None, typer.Option(help="Who wrote it.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="A repeat with the same key adds nothing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a message to a checkpoint; search finds it a moment later."""
    with connected(as_json) as api:
        body = {"checkpoint_id": checkpoint, "content": _content(content, file)}
        body |= {"author": author} if author else {}
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        created = api.request("POST", MESSAGES, body=body, headers=headers)
        show(created, as_json, f"{created['status'].capitalize()} {created['id']}.")


@messages.command("list")
def list_messages(checkpoint: Checkpoint, as_json: AsJson = False) -> None:
    """List a checkpoint's messages."""
    with connected(as_json) as api:
        items = list(api.items(MESSAGES, checkpoint_id=checkpoint))
        show_table(items, as_json, ["id", "author", "preview", "created_at"], "There are no messages yet.")


@messages.command("get")
def get_message(message: str, as_json: AsJson = False) -> None:
    """Show a message."""
    with connected(as_json) as api:
        found = api.get(f"{MESSAGES}/{message}")
        show(found, as_json, escape(str(found.get("content") or "")))


@messages.command("delete")
def delete_message(message: str, as_json: AsJson = False) -> None:
    """Delete a message, also from search."""
    with connected(as_json) as api:
        api.delete(f"{MESSAGES}/{message}")
        show({"id": message, "status": "deleted"}, as_json, f"Deleted {message}.")


def _content(content: str | None, file: Path | None) -> str:
    if content not in {None, "-"} and file is not None:
        raise CliError("There is a text and a file.", "Give one of them.", Exit.USAGE)
    try:
        if file is not None:
            return file.read_text(encoding="utf-8")
        return sys.stdin.read() if content in {None, "-"} else str(content)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}.", "Check the path.", Exit.USAGE) from None
    except UnicodeDecodeError:
        raise CliError("The text is not UTF-8.", "Convert it first.", Exit.USAGE) from None
