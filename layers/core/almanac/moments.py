"""Points in time as people write them: ISO 8601, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

_AGO = re.compile(r"(\d{1,5})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse(text: str, now: datetime) -> datetime:
    """Read `2026-01-31`, `2026-01-31T12:00:00Z` or `7d` (m, h, d, w before `now`); a time without a zone is in UTC.

    Raises `ValueError` with what to write instead.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("write a time as in 2026-01-31, 2026-01-31T12:00:00Z or 7d (m, h, d, w)") from None
