"""Provider keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.accounts import PROVIDERS
from almanac.errors import Unprocessable
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import SecretsManager
from identity.secrets.schemas import ProviderKey, ProviderKeyList, ProviderKeySet
from identity.secrets.service import ProviderKeyNotFound, ProviderKeyService, ProviderUnknown, UnsuitableAddress

router = APIRouter(prefix="/provider-keys", tags=["provider keys"])

Provider = Annotated[str, Path(description=f"The provider: {' or '.join(PROVIDERS)}.", examples=["openai"])]


@router.get("", response_model=ProviderKeyList)
async def list_provider_keys(principal: SecretsManager) -> ProviderKeyList:
    """List the providers that the tenant has set a key for."""
    return ProviderKeyList(items=[ProviderKey.model_validate(item) for item in await _service(principal).list()])


@router.put(
    "/{provider}",
    response_model=ProviderKey,
    responses=problem_responses(ProviderUnknown, UnsuitableAddress, Unprocessable),
)
async def set_provider_key(principal: SecretsManager, provider: Provider, body: ProviderKeySet) -> ProviderKey:
    """Set the key that the tenant's texts and questions go to a provider with; a minute later all functions use it."""
    item = await _service(principal).set(provider, body.key.get_secret_value(), body.base_url)
    return ProviderKey.model_validate(item)


@router.delete(
    "/{provider}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ProviderUnknown, ProviderKeyNotFound),
)
async def delete_provider_key(principal: SecretsManager, provider: Provider) -> None:
    """Remove the tenant's key: a minute later all functions use the deployment's again."""
    await _service(principal).delete(provider)


def _service(principal: Principal) -> ProviderKeyService:
    return ProviderKeyService(wiring.table(), wiring.secrets(), principal, allow_private=wiring.allow_private_hosts())
