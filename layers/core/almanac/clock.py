"""Times as the product writes them: UTC, ISO 8601, milliseconds, `Z`. Text order is time order."""

from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Format seconds since the epoch. Example: `2026-01-31T12:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """Return the present as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
