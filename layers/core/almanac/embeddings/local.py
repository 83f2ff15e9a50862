"""The embedded default model: bge-small-en-v1.5, int8, by onnxruntime.

One text per call: dynamic quantisation makes a vector depend on its neighbours in a batch, and batches are slower here.
Each text is worked on by one thread, and as many texts at once as there are processors: that scales better than
several threads for each text, and more texts at once are slower.
"""

import asyncio
import hashlib
import math
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from almanac.embeddings.base import fingerprint_of, quantize, quantize_finely, slug_of, without_surrogates
from almanac.embeddings.lanes import Lanes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from almanac.embeddings.base import Codes

NAME = "bge-small-en-v1.5"
FOLDER = "bge-small-en-v1.5-int8"
SHA256 = {
    "model_quantized.onnx": "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4",
    "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
}
MAX_TOKENS = 512
_BLOCK = 128
# Far more than 512 tokens of any language; tokenising a megabyte to throw it away takes a second.
_MAX_CHARACTERS = 10_000


class ModelCorrupt(RuntimeError):
    """A model file is missing or has not its pinned hash."""


class _Loaded(NamedTuple):
    tokenizer: Any
    session: Any


class LocalEmbedder:
    """Runs the model from `model_dir`/bge-small-en-v1.5-int8, loaded and verified on first use, in a thread."""

    model = f"local:{NAME}"
    slug = slug_of(model)
    fingerprint = fingerprint_of(*SHA256.values(), "rotated")
    dimensions = 384
    languages = frozenset({"en"})

    def __init__(self, model_dir: Path) -> None:
        self._folder = model_dir / FOLDER
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        self._lanes = Lanes()

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        import numpy as np

        codes = np.empty((len(texts), self.dimensions), dtype=np.int8)

        def embed(row: int) -> None:
            model = self._model()
            inputs = _inputs(model, texts[row])
            with self._lanes.held():
                state = _first_token_state(model, inputs)
            codes[row] = quantize(rotated(state), self.dimensions)

        await self._lanes.each(embed, len(texts))
        return codes

    async def embed_query(self, text: str) -> "NDArray[np.int16]":
        # In a thread of its own: somebody waits, and it is one text.
        return await asyncio.to_thread(self._query, text)

    def load(self) -> None:
        """Load the model now (about 0.3 s) rather than with the first text; raises `ModelCorrupt`."""
        self._model()

    def _query(self, text: str) -> "NDArray[np.int16]":
        model = self._model()
        return quantize_finely(rotated(_first_token_state(model, _inputs(model, text))), self.dimensions)

    def _model(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = _load(self._folder)
            return self._loaded


def rotated(vectors: "NDArray[Any]") -> "NDArray[Any]":
    """Return float vectors, [..., 384], turned by a fixed rotation, which changes no angle between any two.

    One component of this model's vectors is far larger than all others. A code is scaled by the largest, so it would
    leave few steps for the rest; the rotation (random signs, then Hadamard blocks of 128) spreads it over many.
    """
    import numpy as np

    signs, hadamard = _rotation()
    blocks = (np.asarray(vectors, np.float32) * signs).reshape(*np.shape(vectors)[:-1], -1, _BLOCK)
    turned: NDArray[Any] = blocks @ hadamard
    return turned.reshape(np.shape(vectors))


@cache
def _rotation() -> "tuple[NDArray[Any], NDArray[Any]]":
    """Return the signs, [384], and a Hadamard matrix, [128, 128], scaled to keep lengths (Sylvester's construction)."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"almanac").digest(LocalEmbedder.dimensions // 8), np.uint8))
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < _BLOCK:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    return bits.astype(np.float32) * 2 - 1, hadamard / np.float32(math.sqrt(_BLOCK))


def _inputs(model: _Loaded, text: str) -> "dict[str, NDArray[Any]]":
    import numpy as np

    encoding = model.tokenizer.encode(without_surrogates(text[:_MAX_CHARACTERS]))
    ids = np.array([encoding.ids], dtype=np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def _first_token_state(model: _Loaded, inputs: "dict[str, NDArray[Any]]") -> "NDArray[Any]":
    """Return the state of [CLS], the text's vector. Its length does not matter: a code has its own scale."""
    states: NDArray[Any] = model.session.run(["last_hidden_state"], inputs)[0]
    return states[0, 0]  # type: ignore[no-any-return]


def _load(folder: Path) -> _Loaded:
    from onnxruntime import InferenceSession, SessionOptions
    from tokenizers import Tokenizer

    graph = _verified(folder / "model_quantized.onnx")
    tokenizer = Tokenizer.from_str(_verified(folder / "tokenizer.json").decode())
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return _Loaded(tokenizer, InferenceSession(graph, options, providers=["CPUExecutionProvider"]))


def _verified(file: Path) -> bytes:
    """Return the very bytes that were hashed, so that nothing can come between check and use."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelCorrupt(f"cannot read the embedding model's {file.name}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[file.name]:
        raise ModelCorrupt(f"the embedding model's {file.name} has sha256 {found}, expected {SHA256[file.name]}")
    return content
