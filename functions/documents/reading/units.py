"""What the parsers give, and how they give up.

Plain data: this side runs in the child, which starts without pydantic.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


class Trouble(Exception):
    """The file cannot be read; `code` and the message as of `ReadingError`."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


@dataclass
class Unit:
    """A page, slide, piece of a sheet, section. Fields as of `almanac.index.sources.Place`; 0 numbers it in turn."""

    unit: str
    label: str
    text: str
    number: int = 0
    table: dict[str, Any] = field(default_factory=dict)
    """A piece of a sheet: `sheet`, `first_row`, `first_column`, `columns`, `data_row`."""


@dataclass
class Bad:
    """A page that could not be read, or a member of a container."""

    label: str
    code: str
    message: str
    number: int = 0


@dataclass
class Warned:
    """A sentence about something that was left out."""

    message: str


Found = Unit | Bad | Warned
Units = Iterator[Found]


@dataclass
class Budget:
    """What one request has used of its limits, however deep its containers lie."""

    limits: dict[str, Any]
    expanded: int = 0
    members: int = 0
    cells: int = 0

    def expand(self, size: int) -> None:
        """Count bytes that were unpacked."""
        self.expanded += size
        if self.expanded > self.limits["expanded_bytes"]:
            raise Trouble("hostile", f"It unpacks to more than {self.limits['expanded_bytes'] // 2**20} MB.")

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits["members"]:
            raise Trouble("too_large", f"There are more than {self.limits['members']:,} files in it.")

    def count_cells(self, number: int) -> None:
        self.cells += number
        if self.cells > self.limits["cells"]:
            raise Trouble("too_large", f"Its sheets hold more than {self.limits['cells']:,} cells.")


@dataclass
class Task:
    """A file as the parsers see it. `first` and `last` are of paged files; what is unpacked goes to `scratch`.

    `limits` are the fields of `Limits`. `depth` counts the containers around the file.
    """

    path: Path
    name: str
    scratch: Path
    budget: Budget
    kind: str | None = None
    """The media type where it is known already."""
    password: str | None = None
    first: int = 1
    last: int = 0
    depth: int = 0

    @property
    def limits(self) -> dict[str, Any]:
        return self.budget.limits

    def scratch_file(self) -> Path:
        """Return a path of our own naming: names out of a container never become paths."""
        return self.scratch / f"{len(list(self.scratch.iterdir())):06d}"

    def inside(self, path: Path, name: str) -> "Task":
        """Return the task of a file that was in this one."""
        return replace(self, path=path, name=name, kind=None, first=1, last=0, depth=self.depth + 1)
