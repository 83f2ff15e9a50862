"""`almanac push-webhook`: a correctly signed test delivery, as the host would send it."""

import hashlib
import hmac
import json
import uuid
from typing import Annotated, Any, Literal

import typer

from almanac_cli.client import Api, Document
from almanac_cli.config import Config
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, show

app = typer.Typer()

Provider = Literal["github", "gitlab"]


@app.command("push-webhook")
def push_webhook(
    repository: Annotated[str, typer.Argument(help="The repository's id.")],
    provider: Annotated[Provider, typer.Option(help="Whose form the delivery has.")] = "github",
    event: Annotated[str, typer.Option(help="The event's name, as in X-GitHub-Event.")] = "push",
    branch: Annotated[str, typer.Option(help="The branch that was pushed.")] = "main",
    secret: Annotated[
        str | None, typer.Option(envvar="ALMANAC_WEBHOOK_SECRET", help="Default: what connecting it answered.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send a signed test delivery for a repository."""
    with connected(as_json) as api:
        known = secret or Config.load().webhooks.get(repository)
        if not known:
            raise CliError(
                f"The webhook secret of {repository} is not known here.",
                "Give --secret: it was shown when the repository was connected, and a rotation makes a new one.",
                Exit.USAGE,
            )
        # The key's own tenant: the remembered one is another's when the key comes from the environment.
        tenant_id = api.get("/api/v1/tenants/me")["id"]
        receipt = deliver(api, tenant_id, repository, known, provider=provider, event=event, branch=branch)
        show(receipt, as_json, f"The delivery was {receipt['status']}.")


def deliver(
    api: Api,
    tenant_id: str,
    repository_id: str,
    secret: str,
    *,
    provider: Provider = "github",
    event: str = "push",
    branch: str = "main",
) -> Document:
    """Send one delivery and return the answer; raises `CliError`."""
    body = json.dumps(_payload(event, branch)).encode()
    headers = {"content-type": "application/json", **_headers(provider, event, secret, body)}
    path = f"/api/v1/webhooks/{provider}/{tenant_id}/{repository_id}"
    answer: Document = api.request("POST", path, content=body, headers=headers)
    return answer


def _payload(event: str, branch: str) -> dict[str, Any]:
    ref = f"refs/heads/{branch}"
    if event in {"create", "delete"}:
        return {"ref": branch, "ref_type": "branch"}
    if event == "ping":
        return {"zen": "Practicality beats purity.", "hook_id": 0}
    return {"ref": ref, "sent_by": "almanac push-webhook"}


def _headers(provider: Provider, event: str, secret: str, body: bytes) -> dict[str, str]:
    delivery = str(uuid.uuid4())
    if provider == "gitlab":
        name = "Push Hook" if event == "push" else event
        return {"x-gitlab-token": secret, "x-gitlab-event": name, "idempotency-key": delivery}
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={signature}", "x-github-event": event, "x-github-delivery": delivery}
