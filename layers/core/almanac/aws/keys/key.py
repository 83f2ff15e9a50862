"""A key of the table."""

from typing import NamedTuple

ITEM = "ITEM"


class Key(NamedTuple):
    """A primary key of the table."""

    pk: str
    sk: str

    def as_dict(self) -> dict[str, str]:
        return {"pk": self.pk, "sk": self.sk}
