import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from almanac.embeddings.base import NetworkRefused, quantize, refuse_network, slug_of, without_surrogates
from almanac.embeddings.bedrock import BedrockEmbedder
from almanac.embeddings.factory import from_name
from almanac.embeddings.local import LocalEmbedder
from almanac.embeddings.openai import OpenAIEmbedder

vectors = arrays(np.float32, (3, 16), elements=st.floats(-1, 1, width=32))


@given(vectors)
def test_a_code_uses_the_whole_range_and_keeps_the_direction(values: np.ndarray) -> None:
    codes = quantize(values, 16)
    assert codes.dtype == np.int8
    assert codes.shape == values.shape
    for value, code in zip(values.astype(np.float64), codes.astype(np.float64), strict=True):
        largest = np.abs(value).max()
        if largest > 1e-30:
            assert np.abs(code).max() == 127
            assert np.allclose(code / 127 * largest, value, atol=largest / 250)


@given(vectors)
def test_a_code_does_not_depend_on_its_neighbours(values: np.ndarray) -> None:
    assert (quantize(values, 16)[1] == quantize(values[1], 16)).all()


def test_a_zero_vector_has_a_zero_code() -> None:
    assert not quantize([0.0] * 4, 4).any()


@pytest.mark.parametrize("vector", [[1.0, 2.0], [float("nan"), 0.0, 1.0], [float("inf"), 0.0, 1.0]])
def test_a_bad_vector_is_refused(vector: list[float]) -> None:
    with pytest.raises(ValueError, match=r"dimensions|numbers"):
        quantize(vector, 3)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_made_utf_8(text: str) -> None:
    clean = without_surrogates(text)
    assert clean.encode("utf-8").decode() == clean
    assert len(clean) == len(text)


def test_keys_spell_a_model_without_delimiters() -> None:
    assert slug_of("local:bge-small-en-v1.5") == "local-bge-small-en-v1.5"
    assert slug_of("bedrock:amazon.titan-embed-text-v2:0@512") == "bedrock-amazon.titan-embed-text-v2-0-512"


def test_a_name_chooses_provider_model_and_dimensions() -> None:
    assert isinstance(from_name("local:bge-small-en-v1.5"), LocalEmbedder)
    titan = from_name("bedrock:amazon.titan-embed-text-v2:0@512")
    assert isinstance(titan, BedrockEmbedder)
    assert titan.dimensions == 512
    nomic = from_name("openai:nomic-embed-text@768", openai_base_url="http://127.0.0.1:11434/v1")
    assert isinstance(nomic, OpenAIEmbedder)
    assert nomic.dimensions == 768
    assert from_name("test:hash").dimensions == 64
    assert (from_name("test:hash@32").dimensions, from_name("test:hash@32").slug) == (32, "test-hash-32")


@pytest.mark.parametrize(
    "name",
    [
        "local:other",
        "local:bge-small-en-v1.5@128",
        "openai:unknown-model",
        "openai:text-embedding-3-small@many",
        "bedrock:unknown",
        "bedrock:cohere.embed-english-v3@512",
        "bge-small",
        "",
    ],
)
def test_a_name_that_means_nothing_is_refused_with_advice(name: str) -> None:
    with pytest.raises(ValueError, match=r"local:|known:|write|number|dimensions"):
        from_name(name)


def test_models_that_differ_in_anything_have_different_fingerprints() -> None:
    names = [
        "local:bge-small-en-v1.5",
        "openai:text-embedding-3-small",
        "openai:text-embedding-3-small@512",
        "openai:other@512",
        "bedrock:cohere.embed-english-v3",
        "bedrock:cohere.embed-multilingual-v3",
        "test:hash",
    ]
    assert len({from_name(name).fingerprint for name in names}) == len(names)


def test_tests_reach_no_provider_but_their_own() -> None:
    refuse_network("http://127.0.0.1:8000/v1")
    refuse_network("http://localhost:8000/v1")
    with pytest.raises(NetworkRefused):
        refuse_network("https://api.openai.com/v1")
