"""From a configured name to the model behind it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from almanac.accounts import Accounts
    from almanac.aws.clients import Clients
    from almanac.embeddings.base import Embedder


def from_name(
    name: str,
    *,
    model_dir: str = "/opt/model",
    openai_base_url: str = "https://api.openai.com/v1",
    openai_api_key: str | None = None,
    accounts: "Accounts | None" = None,
    allow_private: bool = False,
    clients: "Clients | None" = None,
) -> "Embedder":
    """Return the model called `<provider>:<model>[@<dimensions>]`; raises `ValueError` with what to write instead.

    With `accounts`, a tenant that has set a key of its own is served with that.

    Examples: `local:bge-small-en-v1.5`, `bedrock:amazon.titan-embed-text-v2:0@512`, `openai:text-embedding-3-small`.
    """
    provider, _, model = name.partition(":")
    model, dimensions = _split(model)
    if provider == "local":
        from almanac.embeddings.local import NAME, LocalEmbedder

        if model != NAME or dimensions is not None:
            raise ValueError(f"the embedded model is local:{NAME}, not {name}")
        return LocalEmbedder(Path(model_dir))
    if provider == "bedrock":
        from almanac.aws.clients import Clients
        from almanac.embeddings.bedrock import BedrockEmbedder

        return BedrockEmbedder(model, clients or Clients(), dimensions=dimensions)
    if provider == "openai":
        from almanac.embeddings.openai import OpenAIEmbedder

        return OpenAIEmbedder(
            model,
            base_url=openai_base_url,
            api_key=openai_api_key,
            dimensions=dimensions,
            account=accounts.of(provider) if accounts else None,
            allow_private=allow_private,
        )
    if provider == "test" and model == "hash":
        from almanac.embeddings.testing import HashEmbedder

        return HashEmbedder(dimensions or 64, model=name)
    raise ValueError(f"unknown embedding model {name}: use local:..., bedrock:... or openai:...")


def _split(model: str) -> tuple[str, int | None]:
    name, at, dimensions = model.rpartition("@")
    if not at:
        return model, None
    if not dimensions.isascii() or not dimensions.isdigit() or int(dimensions) == 0:
        raise ValueError(f"after @ stands a number of dimensions, not {dimensions}")
    return name, int(dimensions)
