import subprocess
import sys
from pathlib import Path

import pytest

from almanac.llm.bedrock import BedrockLanguageModel
from almanac.llm.factory import from_name
from almanac.llm.openai import OpenAILanguageModel

ROOT = Path(__file__).parents[3]


def test_a_name_chooses_provider_and_model() -> None:
    assert from_name("extractive") is None
    gpt = from_name("openai:gpt-4o-mini", openai_base_url="http://127.0.0.1:11434/v1")
    assert isinstance(gpt, OpenAILanguageModel)
    assert gpt.name == "openai:gpt-4o-mini"
    claude = from_name("bedrock:anthropic.claude-3-5-haiku-20241022-v1:0")
    assert isinstance(claude, BedrockLanguageModel)
    assert claude.name == "bedrock:anthropic.claude-3-5-haiku-20241022-v1:0"


@pytest.mark.parametrize("name", ["", "gpt-4o", "openai:", "bedrock", "anthropic:claude"])
def test_a_name_that_means_nothing_is_refused_with_advice(name: str) -> None:
    with pytest.raises(ValueError, match="use extractive"):
        from_name(name)


def test_a_model_is_made_without_heavy_imports() -> None:
    code = (
        "import sys; from almanac.llm.factory import from_name; from_name('openai:x'); from_name('bedrock:x');"
        "sys.exit(bool({'numpy', 'httpx', 'aioboto3', 'botocore'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "layers" / "core")})
