"""What can go wrong with conversations, as callers see it."""

from almanac.errors import NotFound, Unavailable


class ConversationNotFound(NotFound):
    """There is no such conversation in the caller's tenant, or it was deleted or has expired."""

    code = "conversation_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no conversation with this id.", field=field)


class ConversationBusy(Unavailable):
    """Too many turns are said at once in one conversation."""

    code = "conversation_busy"
    title = "The conversation is busy"

    def __init__(self) -> None:
        super().__init__("Too much is said in this conversation at once. Ask again.")
