"""What can go wrong with exports."""

from almanac.errors import Conflict, NotFound


class ExportNotFound(NotFound):
    """The tenant has no such export; exports are kept for seven days."""

    code = "export_not_found"


class ExportUnderWay(Conflict):
    """One export at a time."""

    code = "export_under_way"
