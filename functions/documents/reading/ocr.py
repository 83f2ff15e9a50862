"""Text recognition as a port: off unless the settings name an adapter."""

import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from documents.reading.units import Trouble

PLACES = "/usr/local/bin:/usr/bin:/bin:/opt/bin"
_SECONDS = 60


class Ocr(Protocol):
    """Recognises text in pictures."""

    def text(self, picture: Path) -> str:
        """Return the text of a picture file, empty for one without any; raises `Trouble`."""
        ...


class Tesseract:
    """The program `tesseract`, where it is installed. `languages` are its own names. Example: "eng+deu"."""

    def __init__(self, languages: str = "eng") -> None:
        program = shutil.which("tesseract", path=PLACES)
        if program is None:
            raise Trouble("scanned", "The pages are pictures, and the program tesseract is not installed.")
        self._program = program
        self._languages = languages

    def text(self, picture: Path) -> str:
        command = [self._program, str(picture), "stdout", "-l", self._languages]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):
            raise Trouble("timed_out", "Recognising the text of a picture took too long.") from None
        return done.stdout.decode("utf-8", "replace").replace("\f", "").strip()


def chosen(name: str) -> Ocr | None:
    """Return the adapter of a setting: "" for none, "tesseract", "tesseract:eng+deu"."""
    adapter, _, languages = name.partition(":")
    if adapter == "":
        return None
    if adapter == "tesseract":
        return Tesseract(languages or "eng")
    raise ValueError(f"there is no text recognition called {adapter}")
