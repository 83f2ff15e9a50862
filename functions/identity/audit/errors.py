"""What can go wrong with an audit log."""

from almanac.errors import Conflict


class LogDamaged(Conflict):
    """An entry is not what was written, so much so that it cannot be shown."""

    code = "audit_log_damaged"
