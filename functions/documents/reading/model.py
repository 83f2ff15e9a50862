"""What reading takes and gives, and how it fails."""

from dataclasses import dataclass, field

from almanac.index.sources import Place
from documents.model import BadPage, Cause

MEGABYTE = 1024 * 1024

WAYS_OUT = {
    "encrypted": ("The file is encrypted.", "Read it again with its password, or upload it without one."),
    "wrong_password": ("The password does not open the file.", "Read it again with another password."),
    "scanned": (
        "The pages are pictures without text.",
        "Switch text recognition (OCR) on and read it again, or upload a file with text.",
    ),
    "corrupt": ("The file is damaged.", "Open and save it in the program that made it, then upload it again."),
    "empty": ("There is no text in the file.", "Upload a file that has text, or delete the document."),
    "unsupported": ("This kind of file cannot be read.", "Save it as PDF, an office format or text and upload that."),
    "too_large": ("There is more in the file than is read of one.", "Split it and upload the parts."),
    "hostile": (
        "The file is built to exhaust whoever opens it, or to reach outside of itself.",
        "Delete it. If it is yours, save it anew in the program that made it and upload that.",
    ),
    "timed_out": ("Reading the file took too long.", "Split it, or save it as plain text, and upload that."),
    "out_of_memory": ("Reading the file took too much memory.", "Split it and upload the parts."),
    "crashed": ("The file made its reader crash.", "Save it anew in the program that made it and upload that."),
}
"""Every code that reading can end with: what happened, and what to do, in words for a person."""


class ReadingError(Exception):
    """Reading ended for good: the same file would end the same way. `code` is a key of `WAYS_OUT`."""

    def __init__(self, code: str, message: str = "") -> None:
        usual, self.way_out = WAYS_OUT[code]
        self.code = code
        self.message = message or usual
        super().__init__(f"{code}: {self.message}")

    @property
    def cause(self) -> Cause:
        return Cause(code=self.code, message=self.message, way_out=self.way_out)


@dataclass(frozen=True)
class Limits:
    """What one call may take. `memory_bytes` is address space, most of it never touched; `seconds` of wall-clock are
    for the call, `page_seconds` for one page of a paged file, `ocr_page_seconds` for one whose text is recognised.

    `text_bytes` is UTF-8 of one call's pages, `expanded_bytes` whatever is unpacked to read it, `ratio` how much
    larger than itself a packed member of over a megabyte may become, `depth` how often a container may lie in another.
    `ocr` names what recognises text in pictures, as of `ocr.chosen`: nothing does where it is empty.
    """

    memory_bytes: int = 1024 * MEGABYTE
    seconds: float = 120.0
    page_seconds: float = 10.0
    ocr_page_seconds: float = 90.0
    text_bytes: int = 64 * MEGABYTE
    expanded_bytes: int = 1024 * MEGABYTE
    members: int = 1000
    depth: int = 3
    ratio: int = 200
    cells: int = 2_000_000
    ocr: str = ""


USUAL = Limits()


@dataclass(frozen=True)
class Probe:
    """What a file is. `pages` is None where only reading tells: such a file is read in one call.

    `unit` is what its pages are: "page", "slide", "sheet" or "section".
    """

    media_type: str
    unit: str
    pages: int | None = None


@dataclass(frozen=True)
class PageText:
    """One page, slide, piece of a sheet, or section, as Markdown. `number` counts through the file from 1."""

    number: int
    place: Place
    text: str

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


@dataclass(frozen=True)
class Reading:
    """The pages that were read, in order, and those that were not; `warnings` are sentences for a person."""

    pages: list[PageText] = field(default_factory=list)
    bad: list[BadPage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
