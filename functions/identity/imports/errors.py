"""What can go wrong with imports."""

from almanac.errors import Conflict, NotFound


class ImportNotFound(NotFound):
    """The tenant has no such import; imports are remembered for a week."""

    code = "import_not_found"


class TenantNotEmpty(Conflict):
    """An archive is imported into a tenant without projects."""

    code = "tenant_not_empty"


class ImportUnderWay(Conflict):
    """The import is being carried out, or is done."""

    code = "import_under_way"


class BadArchive(Exception):
    """The archive is not one, or not whole; the text names the member, and the line where a line is at fault."""
