"""What a caller may do."""

from enum import StrEnum


class Scope(StrEnum):
    """What an API key may do. Each scope includes the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Tell whether a key with this scope may do what `other` allows."""
        order = list(Scope)
        return order.index(self) >= order.index(other)
