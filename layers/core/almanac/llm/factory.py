"""From a configured name to the language model behind it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from almanac.accounts import Accounts
    from almanac.aws.clients import Clients
    from almanac.llm.base import LanguageModel

EXTRACTIVE = "extractive"


def from_name(
    name: str,
    *,
    openai_base_url: str = "https://api.openai.com/v1",
    openai_api_key: str | None = None,
    accounts: "Accounts | None" = None,
    allow_private: bool = False,
    clients: "Clients | None" = None,
) -> "LanguageModel | None":
    """Return the model called `<provider>:<model>`, None for `extractive`; raises `ValueError` with what to write.

    Examples: `extractive`, `openai:gpt-4o-mini`, `bedrock:anthropic.claude-3-5-haiku-20241022-v1:0`.
    """
    if name == EXTRACTIVE:
        return None
    provider, _, model = name.partition(":")
    if model and provider == "openai":
        from almanac.llm.openai import OpenAILanguageModel

        return OpenAILanguageModel(
            model,
            base_url=openai_base_url,
            api_key=openai_api_key,
            account=accounts.of(provider) if accounts else None,
            allow_private=allow_private,
        )
    if model and provider == "bedrock":
        from almanac.aws.clients import Clients
        from almanac.llm.bedrock import BedrockLanguageModel

        return BedrockLanguageModel(model, clients or Clients())
    raise ValueError(f"unknown language model {name!r}: use extractive, openai:<model> or bedrock:<model>")
