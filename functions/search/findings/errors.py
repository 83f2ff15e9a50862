"""What can go wrong with findings, as callers see it."""

from almanac.errors import Conflict, NotFound, Unprocessable


class FindingNotFound(NotFound):
    """There is no such finding."""

    code = "finding_not_found"

    def __init__(self) -> None:
        super().__init__("There is no finding with this id.", field="path.finding_id")


class PurgeNotFound(NotFound):
    """Nobody asked for this finding to be purged."""

    code = "purge_not_found"

    def __init__(self) -> None:
        super().__init__("Nobody asked for this finding to be purged: POST to this address does.")


class FindingChanged(Conflict):
    """The finding was changed since it was read."""

    code = "finding_changed"

    def __init__(self) -> None:
        super().__init__("The finding was changed meanwhile: read it again.", field="body.version")


class ReasonMissing(Unprocessable):
    """A finding is dismissed without a reason."""

    code = "reason_missing"

    def __init__(self) -> None:
        super().__init__("Say why it is no secret: whoever reads this next wants to know.", field="body.reason")
