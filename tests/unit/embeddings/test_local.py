import asyncio
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from almanac.embeddings import local as module
from almanac.embeddings.local import FOLDER, SHA256, LocalEmbedder, ModelCorrupt, rotated

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes, QueryCode

ROOT = Path(__file__).parents[3]
FETCH = ROOT / "layers" / "model" / "fetch_model.py"


def cosine(left: "QueryCode", right: "Codes") -> float:
    a, b = left.astype(np.float64), right.astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def embed(model: LocalEmbedder, *texts: str) -> "Codes":
    return asyncio.run(model.embed_documents(texts))


def test_texts_that_mean_the_same_are_nearer_than_texts_that_do_not(local: LocalEmbedder) -> None:
    question = asyncio.run(local.embed_query("how to read a configuration file"))
    near, far = embed(local, "def load_settings(path): return tomllib.loads(path.read_text())", "Bread needs an oven.")
    assert cosine(question, near) > cosine(question, far) + 0.1


def test_a_vector_is_a_function_of_its_text_alone(local: LocalEmbedder) -> None:
    texts = ["one", "two words", "a sentence of several words, much longer than the others " * 10]
    together = embed(local, *texts)
    alone = [embed(local, text)[0] for text in texts]
    assert (together == np.array(alone)).all()
    query = asyncio.run(local.embed_query(texts[0]))
    assert np.abs(query / 128 - together[0]).max() <= 0.51, "a query is the document's vector, rounded less"


def test_the_rotation_changes_no_angle_and_levels_the_components() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, LocalEmbedder.dimensions))
    vectors[:, 102] = 12
    turned = rotated(vectors)
    assert np.allclose(turned @ turned.T, vectors @ vectors.T, rtol=1e-4)
    assert np.abs(turned).max() < 6


def test_the_known_vector_of_a_known_text(local: LocalEmbedder) -> None:
    (code,) = embed(local, "The quick brown fox jumps over the lazy dog.")
    # Processors round differently (cosine 0.998 at worst), other models and poolings much more.
    expected = np.array([-46, 70, -14, 52, 11, 4, -9, 1])
    assert np.abs(code[:8] - expected).max() <= 6


def test_any_text_has_a_vector(local: LocalEmbedder) -> None:
    codes = embed(local, "", "\0", "\ud800", "x" * 3_000_000, "word " * 500_000, "日本語" * 1000)
    assert np.abs(codes).max(axis=1).tolist() == [127] * 6


def test_no_text_is_no_vector(local: LocalEmbedder) -> None:
    assert embed(local).shape == (0, 384)


def test_the_event_loop_runs_on_while_the_model_works(local: LocalEmbedder) -> None:
    async def work() -> int:
        task = asyncio.create_task(local.embed_documents(["some words to embed " * 60] * 8))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        await task
        return turns

    embed(local, "loaded")
    # A loop that waited for the model would come round once for each text, or less.
    assert asyncio.run(work()) > 100


@pytest.mark.parametrize("name", SHA256)
def test_a_changed_file_is_refused(name: str, model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for file in SHA256:
        shutil.copyfile(model_dir / FOLDER / file, folder / file)
    with (folder / name).open("r+b") as opened:
        opened.seek(1000)
        opened.write(b"\0\0")
    with pytest.raises(ModelCorrupt, match=name):
        LocalEmbedder(tmp_path).load()


def test_a_missing_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match=r"model_quantized\.onnx"):
        embed(LocalEmbedder(tmp_path), "text")


def test_what_is_built_is_what_is_loaded() -> None:
    spec = importlib.util.spec_from_file_location("fetch_model", FETCH)
    assert spec
    assert spec.loader
    fetch_model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fetch_model)
    assert fetch_model.SHA256 == module.SHA256
    assert fetch_model.MODEL == module.FOLDER


def test_a_model_is_made_without_heavy_imports() -> None:
    code = (
        "import sys; from almanac.embeddings.factory import from_name; from_name('local:bge-small-en-v1.5');"
        "sys.exit(bool({'numpy', 'onnxruntime', 'tokenizers', 'httpx', 'aioboto3'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "layers" / "core")})
