"""Where hosts send their deliveries: no authorizer, the secret of the repository proves the sender."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request

from almanac.web.edges import BodyTooLarge
from almanac.web.problems import problem_responses
from webhooks.errors import InvalidPayload, MissingEvent, UnprovenDelivery
from webhooks.github import GithubDelivery
from webhooks.gitlab import GitlabDelivery
from webhooks.schemas import Receipt
from webhooks.wiring import receiver

router = APIRouter(prefix="/webhooks", tags=["webhooks"])

TenantId = Annotated[str, Path(examples=["ten_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
RepositoryId = Annotated[str, Path(examples=["rep_01k9zq3v7m8x2c4b6n0d1f5g7h"])]

_ERRORS = problem_responses(UnprovenDelivery, MissingEvent, InvalidPayload, BodyTooLarge)


def _body(*media_types: str) -> dict[str, Any]:
    content = {name: {"schema": {"type": "object"}} for name in media_types}
    content["application/json"]["example"] = {"ref": "refs/heads/main"}
    text = "The host's payload as it sends it, at most 6 MB; the reconciler makes good what is larger."
    return {"requestBody": {"description": text, "required": True, "content": content}}


@router.post(
    "/github/{tenant_id}/{repository_id}",
    status_code=202,
    response_model=Receipt,
    responses=_ERRORS,
    openapi_extra=_body("application/json", "application/x-www-form-urlencoded"),
)
async def receive_github_delivery(
    request: Request,
    tenant_id: TenantId,
    repository_id: RepositoryId,
    x_hub_signature_256: Annotated[str | None, Header(description="HMAC-SHA256 over the raw body.")] = None,
    x_github_event: Annotated[str | None, Header(examples=["push"])] = None,
    x_github_delivery: Annotated[str | None, Header(examples=["72d3162e-cc78-11e3-81ab-4c9367dc0958"])] = None,
) -> Receipt:
    """Take a GitHub delivery and queue what follows from it."""
    delivery = GithubDelivery(
        body=await request.body(),
        signature=x_hub_signature_256,
        event=x_github_event,
        delivery_id=x_github_delivery,
        content_type=request.headers.get("content-type", ""),
    )
    return Receipt(status=await receiver().receive(tenant_id, repository_id, delivery))


@router.post(
    "/gitlab/{tenant_id}/{repository_id}",
    status_code=202,
    response_model=Receipt,
    responses=_ERRORS,
    openapi_extra=_body("application/json"),
)
async def receive_gitlab_delivery(
    request: Request,
    tenant_id: TenantId,
    repository_id: RepositoryId,
    x_gitlab_token: Annotated[str | None, Header(description="The repository's webhook secret.")] = None,
    x_gitlab_event: Annotated[str | None, Header(examples=["Push Hook"])] = None,
    idempotency_key: Annotated[str | None, Header(examples=["f5e5f430-f57b-4e6e-9fac-d9128cd7232f"])] = None,
    x_gitlab_event_uuid: Annotated[str | None, Header(examples=["13792a34-cac6-4fda-95a8-c58e00a3954e"])] = None,
) -> Receipt:
    """Take a GitLab delivery and queue what follows from it."""
    delivery = GitlabDelivery(
        body=await request.body(),
        token=x_gitlab_token,
        event=x_gitlab_event,
        idempotency_key=idempotency_key,
        event_uuid=x_gitlab_event_uuid,
    )
    return Receipt(status=await receiver().receive(tenant_id, repository_id, delivery))
