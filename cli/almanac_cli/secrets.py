"""`almanac secrets`, `almanac provider-keys`: secrets that stand in content, and the tenant's own keys for models."""

import sys
import time
from typing import Annotated, Any

import typer

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, show, show_table

secrets = typer.Typer(help="Secrets found in repositories and messages.", no_args_is_help=True)
provider_keys = typer.Typer(help="The tenant's own keys for providers of models.", no_args_is_help=True)

FINDINGS = "/api/v1/secret-findings"
KEYS = "/api/v1/provider-keys"
POLL_SECONDS = 0.5

Finding = Annotated[str, typer.Argument(metavar="ID", help="The finding's id, as 'almanac secrets list' shows it.")]
Provider = Annotated[str, typer.Argument(help="The provider, as 'openai'.")]


@secrets.command("list")
def list_findings(
    state: Annotated[str | None, typer.Option(help="open, dismissed, purged or gone.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind, as 'github_token'.")] = None,
    as_json: AsJson = False,
) -> None:
    """List where secrets stand. What they are is shown nowhere."""
    with connected(as_json) as api:
        query = {"state": state, "kind": kind}
        found = list(api.items(FINDINGS, **{name: value for name, value in query.items() if value is not None}))
        items = found if as_json else [{**each, "where": _where(each)} for each in found]
        show_table(items, as_json, ["id", "state", "kind", "where", "last_seen_at"], "No secrets were found.")


@secrets.command()
def dismiss(
    finding: Finding,
    reason: Annotated[str, typer.Option(help="Why it is no secret.", prompt="Why is it no secret?")],
    as_json: AsJson = False,
) -> None:
    """Say that a finding is no secret. It stays masked."""
    _judge(finding, {"state": "dismissed", "reason": reason}, as_json)


@secrets.command()
def reopen(finding: Finding, as_json: AsJson = False) -> None:
    """Take a dismissed finding up again."""
    _judge(finding, {"state": "open"}, as_json)


@secrets.command()
def purge(
    finding: Finding,
    wait: Annotated[bool, typer.Option("--wait", help="Return with the receipt when it is done.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 300.0,
    as_json: AsJson = False,
) -> None:
    """Remove a secret from every copy that can be changed, and show what was removed."""
    with connected(as_json) as api:
        path = f"{FINDINGS}/{finding}/purge"
        receipt: Document = api.post(path)
        until = time.monotonic() + timeout
        while wait and receipt["state"] != "done":
            if time.monotonic() > until:
                raise CliError("The purge is not done yet.", f"Look again: 'almanac secrets receipt {finding}'.")
            time.sleep(POLL_SECONDS)
            receipt = api.get(path)
        show(receipt, as_json, *_lines(receipt))


@secrets.command()
def receipt(finding: Finding, as_json: AsJson = False) -> None:
    """Show what a purge removed, what remains, and when the last backup is gone."""
    with connected(as_json) as api:
        found = api.get(f"{FINDINGS}/{finding}/purge")
        show(found, as_json, *_lines(found))


@provider_keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the providers that the tenant has set a key for."""
    with connected(as_json) as api:
        found = api.get(KEYS)["items"]
        show_table(found, as_json, ["provider", "ending", "base_url", "set_by", "set_at"], "The deployment's are used.")


@provider_keys.command("set")
def set_key(
    provider: Provider,
    base_url: Annotated[str | None, typer.Option(help="Where the provider is called, as 'https://.../v1'.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set the tenant's key. It is read from standard input, or asked for: never from the command's arguments."""
    with connected(as_json) as api:
        body: dict[str, Any] = {"key": _key(), **({"base_url": base_url} if base_url else {})}
        made = api.request("PUT", f"{KEYS}/{provider}", body=body)
        show(made, as_json, f"The key for {escape(made['provider'])} is set (it ends with {escape(made['ending'])}).")


@provider_keys.command()
def delete(provider: Provider, as_json: AsJson = False) -> None:
    """Remove the tenant's key; the deployment's is used again."""
    with connected(as_json) as api:
        api.delete(f"{KEYS}/{provider}")
        show({"provider": provider}, as_json, f"The key for {escape(provider)} is removed.")


def _judge(finding: str, change: dict[str, Any], as_json: bool) -> None:
    with connected(as_json) as api:
        path = f"{FINDINGS}/{finding}"
        changed = api.patch(path, {**change, "version": _version(api, path)})
        show(changed, as_json, f"{changed['id']} is {changed['state']}.")


def _version(api: Api, path: str) -> int:
    return int(api.get(path)["version"])


def _key() -> str:
    # A key among the arguments would stand in the shell's history and in every list of processes.
    given = str(typer.prompt("Key", hide_input=True, err=True)) if sys.stdin.isatty() else sys.stdin.readline()
    if not given.strip():
        raise CliError("There is no key on standard input.", "Pipe the key in, or type it when asked.", Exit.USAGE)
    return given.strip()


def _where(finding: Document) -> str:
    source = finding["source"]
    if source["path"] and source["repository"]:
        return f"{source['repository']} {source['path']}:{finding['line']}"
    if source["message_id"]:
        return f"{source['message_id']}:{finding['line']}"
    if source["document_id"]:
        return f"{source['document_id']} {source['place']}, line {finding['line']}"
    return f"{source['repository']} {(source['commit'] or '')[:10]}"


def _lines(receipt: Document) -> list[str]:
    if receipt["state"] != "done":
        return [f"The purge of {receipt['finding_id']} is asked for: 'almanac secrets receipt' shows when it is done."]
    removed = [
        f"  removed {each['count']} {each['what'].replace('_', ' ')}s"
        + (f", the last backup is gone by {each['last_copy_until']}" if each["last_copy_until"] else "")
        for each in receipt["deleted"]
    ]
    return [
        f"Purged {receipt['finding_id']}.",
        *removed,
        *(f"  [yellow]{escape(r)}[/yellow]" for r in receipt["remaining"]),
    ]
