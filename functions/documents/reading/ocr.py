"""Text recognition as a port: off unless the settings name an adapter."""

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from documents.reading.units import Bad, Trouble, Unit, Units, Warned

ENVIRONMENT = {
    # Tesseract would start a thread for each processor, and is slower with them.
    "OMP_THREAD_LIMIT": "1",
    # kreuzberg has no text recognition where it cannot make its cache, even one that it is told not to use. Being
    # relative, this one is in the scratch directory of each request.
    "KREUZBERG_CACHE_DIR": "cache",
}
"""What the process that opens files needs among its variables."""
_SAID = Warned("Text in pictures was read by text recognition, which gets some words wrong.")

_FIRST = "eng"
_ORIENTATION = "osd"
_FOUND_THE_LAYOUT_AND_ORIENTATION = 1
_AS_IT_IS = 72
"""Dots per inch that kreuzberg takes every picture to have; asked for as many, it leaves it in its size."""
_NEURAL = 1
_SURE = 65
_NO_TEXT = 30
"""Of a hundred: with less certainty than this, what was recognised is the grain of a photograph."""
_TOO_MUCH = re.compile(r"limit exceeded|exceeds", re.IGNORECASE)


class Ocr(Protocol):
    """Recognises text in pictures."""

    def text(self, picture: Path, media_type: str) -> str:
        """Return the text of a picture file, empty for one without any; raises `Trouble`."""
        ...


class _Recognised(NamedTuple):
    confidence: int
    text: str


class Tesseract:
    """The Tesseract within kreuzberg, with the data in a directory `tessdata` beside the libraries.

    A picture is read in the first of the languages. One that reads badly so is read in the others too, and the best
    reading counts. `languages` are Tesseract's names of them. Example: ["eng", "rus"].
    """

    def __init__(self, languages: list[str]) -> None:
        self._languages = languages

    def text(self, picture: Path, media_type: str) -> str:
        best = _Recognised(-1, "")
        for language in self._languages:
            best = max(best, self._recognised(picture, media_type, language), key=lambda found: found.confidence)
            if not best.text or best.confidence >= _SURE:
                break
        return best.text if best.confidence >= _NO_TEXT else ""

    def _recognised(self, picture: Path, media_type: str, language: str) -> _Recognised:
        import kreuzberg._internal_bindings as kreuzberg

        try:
            result = kreuzberg.extract_file_sync(str(picture), media_type, _config(kreuzberg, language))
        except Exception as error:  # noqa: BLE001 - it raises its own and ValueError, RuntimeError alike
            raise _trouble(str(error)) from None
        found: dict[str, Any] = dict(result.metadata)
        return _Recognised(int(found.get("mean_text_conf") or 0), result.content.strip())


def _config(kreuzberg: Any, language: str) -> Any:
    tesseract = kreuzberg.TesseractConfig(
        language=language,
        psm=_FOUND_THE_LAYOUT_AND_ORIENTATION,
        oem=_NEURAL,
        output_format="text",
        enable_table_detection=False,
        use_cache=False,
        # Its own turning (`auto_rotate`) aborts the process; Tesseract turns pages by itself.
        preprocessing=kreuzberg.ImagePreprocessingConfig(target_dpi=_AS_IT_IS, auto_rotate=False, deskew=False),
    )
    return kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="plain",
        ocr=kreuzberg.OcrConfig(backend="tesseract", language=language, tesseract_config=tesseract),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )


def _trouble(message: str) -> Trouble:
    if _TOO_MUCH.search(message):
        return Trouble("too_large", "The picture has more points than are read of one.")
    return Trouble("corrupt", "The picture is damaged, or has no shape that text could have.")


def data() -> Path | None:
    """Return the directory with Tesseract's data, which the layer has beside its libraries; None where none is."""
    found = (Path(entry) / "tessdata" for entry in sys.path if entry)
    return next((directory for directory in found if (directory / f"{_FIRST}.traineddata").is_file()), None)


def page(recogniser: Ocr, picture: Path, media_type: str, number: int, label: str) -> Units:
    """Yield a page whose text is recognised."""
    try:
        text = recogniser.text(picture, media_type)
    except Trouble as trouble:
        yield Bad(label, trouble.code, trouble.message, number)
        return
    if text:
        yield _SAID
    yield Unit("page", label, text, number)


def chosen(name: str) -> Ocr | None:
    """Return the adapter of a setting: "" for none, "tesseract", "tesseract:rus+eng" for these languages in turn."""
    adapter, _, languages = name.partition(":")
    if adapter == "":
        return None
    if adapter == "tesseract":
        return Tesseract(languages.split("+") if languages else _languages())
    raise ValueError(f"there is no text recognition called {adapter}")


def _languages() -> list[str]:
    directory = data()
    if directory is None:
        raise Trouble("scanned", "The pages are pictures, and the data of text recognition is not installed.")
    others = sorted({path.stem for path in directory.glob("*.traineddata")} - {_FIRST, _ORIENTATION})
    return [_FIRST, *others]
