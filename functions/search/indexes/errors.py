"""What can go wrong with indexes, as callers see it."""

from almanac.errors import Conflict, NotFound, Unprocessable


class IndexNotFound(NotFound):
    """The caller's tenant has no such index."""

    code = "index_not_found"

    def __init__(self) -> None:
        super().__init__("There is no index with this id.")


class ModelNotAllowed(Unprocessable):
    """The deployment offers no such embedding model; `allowed` are those that it offers."""

    code = "embedding_model_not_allowed"
    title = "Embedding model not allowed"

    def __init__(self, allowed: list[str], reason: str) -> None:
        detail = f"{reason} This deployment allows: {', '.join(allowed)}."
        super().__init__(detail, field="body.model", allowed=allowed)


class IndexBeingBuilt(Conflict):
    """One index is built at a time; `index_id` is the one that is."""

    code = "index_being_built"

    def __init__(self, index_id: str) -> None:
        detail = f"The index {index_id} is being built: activate or delete it first."
        super().__init__(detail, index_id=index_id)


class IndexIncomplete(Conflict):
    """The index lacks `missing` sources that the serving one shows, or shows `unexpected` ones that it does not."""

    code = "index_incomplete"

    def __init__(self, missing: int, unexpected: int) -> None:
        detail = (
            f"The index does not show what the serving one shows: {missing} sources are missing and {unexpected} "
            "should not be there. Wait for its build, then try again."
        )
        super().__init__(detail, missing=missing, unexpected=unexpected)


class IndexServes(Conflict):
    """Queries are answered from this index."""

    code = "index_serves"

    def __init__(self) -> None:
        super().__init__("Queries are answered from this index: activate another one first.")


class IndexServedLately(Conflict):
    """A query that began while this index served may still read it; `deletable_at` is when none can."""

    code = "index_served_lately"

    def __init__(self, deletable_at: str) -> None:
        detail = (
            "This index served until a moment ago: a query or a worker that began then may still read it, and rolling "
            f"back needs it. It can be deleted from {deletable_at}."
        )
        super().__init__(detail, deletable_at=deletable_at)


class IndexesChanged(Conflict):
    """Somebody else changed the tenant's indexes at the same moment."""

    code = "indexes_changed"

    def __init__(self) -> None:
        super().__init__("The indexes were changed at the same moment: look at them, then try again.")
