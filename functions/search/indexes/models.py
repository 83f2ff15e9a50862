"""Which embedding models a tenant may choose."""

from search import wiring
from search.indexes.errors import ModelNotAllowed

_TEST_STAGES = frozenset({"local", "test"})
_TEST_MODEL = "test:hash"


def allowed() -> list[str]:
    """Return what the deployment offers: its own model first, then the extra ones."""
    settings = wiring.settings()
    extra = [name.strip() for name in settings.extra_embedding_models.split(",")]
    offered = [settings.embedding_model, *(name for name in extra if name)]
    tests = [_TEST_MODEL] if settings.stage in _TEST_STAGES else []
    return list(dict.fromkeys([*offered, *tests]))


def check(model: str) -> str:
    """Return the model's name; raises `ModelNotAllowed` for one that the deployment does not offer."""
    offered = allowed()
    # The test model comes in any number of dimensions, so that a stage of one model can try a change of models.
    if model not in offered and not (_TEST_MODEL in offered and model.startswith(f"{_TEST_MODEL}@")):
        raise ModelNotAllowed(offered, f"There is no embedding model {model} here.")
    try:
        return wiring.embedder_for(model).model
    except ValueError as error:
        raise ModelNotAllowed(offered, f"{error}.") from None
