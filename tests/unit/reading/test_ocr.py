"""Text recognition: off unless named, and a port that any program fits behind."""

from dataclasses import asdict
from pathlib import Path

import pytest

from documents.reading import ocr, parsing
from documents.reading.model import Limits
from documents.reading.units import Budget, Found, Task, Trouble, Unit
from tests.unit.reading import files
from tests.unit.reading.world import refusal

SCRIPT = """#!/bin/sh
head -c 2 "$1" > "{directory}/seen"
echo "read by $4"
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a program of tesseract's name that notes how its picture begins and says which language it was given."""
    path = tmp_path / "tesseract"
    path.write_text(SCRIPT.format(directory=tmp_path))
    path.chmod(0o755)
    monkeypatch.setattr(ocr, "PLACES", str(tmp_path))
    return tmp_path


def read(content: bytes, name: str, setting: str, directory: Path) -> list[Found]:
    path = directory / name
    path.write_bytes(content)
    scratch = directory / "scratch"
    scratch.mkdir()
    return list(parsing.parse(Task(path, name, scratch, Budget(asdict(Limits(ocr=setting))))))


def test_pages_without_text_are_drawn_and_recognised(program: Path) -> None:
    found = read(files.scanned_pdf(["", "typed"]), "scan.pdf", "tesseract:deu", program)
    assert found == [Unit("page", "page 1", "read by deu", 1), Unit("page", "page 2", "typed", 2)]
    assert (program / "seen").read_bytes() == b"P5"


def test_a_picture_is_a_page(program: Path) -> None:
    found = read(b"\x89PNG\r\n\x1a\n" + bytes(60), "photo.png", "tesseract", program)
    assert found == [Unit("page", "picture", "read by eng")]


def test_a_program_that_is_not_installed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "PLACES", str(tmp_path))
    with pytest.raises(Trouble) as raised:
        ocr.chosen("tesseract")
    assert (raised.value.code, "not installed" in raised.value.message) == ("scanned", True)


def test_pictures_are_refused_where_recognition_is_off() -> None:
    assert refusal(b"\xff\xd8\xff\xe0" + bytes(60), "photo.jpg") == "scanned"
