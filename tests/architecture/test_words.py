"""What the repository's texts must not say: where it was made, or which registry its packages came from."""

import re

import pytest

from tests.architecture.source import ROOT

TEXTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "*.toml", "template.yaml", "Makefile", ".ci/*", "layers/**/*.txt")
    for path in ROOT.glob(pattern)
    if path.is_file()
)
# Written in pieces, so that this file does not break its own rule.
_REGISTRIES = ["pypi" + r"\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", r"(?:--|_)index[-_]url"]
_MACHINE = [r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/", r"(?<![\w.])/tmp/\w+/\w"]
_FORBIDDEN = re.compile("|".join([*_REGISTRIES, *_MACHINE]))


def offences(name: str, text: str) -> list[str]:
    return [
        f"{name}:{number}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in _FORBIDDEN.finditer(line)
    ]


def test_no_text_names_a_registry_or_a_path_of_the_machine() -> None:
    found = [line for path in TEXTS for line in offences(path.relative_to(ROOT).as_posix(), path.read_text())]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("text", ["see /home/ann/x", "https://files." + "python" + "hosted.org/x", "/work" + "/main"])
def test_a_forbidden_word_is_found_with_its_line(text: str) -> None:
    (line,) = offences("README.md", f"Almanac\n{text}\n")
    assert line.startswith("README.md:2: ")


@pytest.mark.parametrize("text", ["the network and /opt/model", "`/api/v1/projects`", "home/network"])
def test_ordinary_words_pass(text: str) -> None:
    assert offences("README.md", text) == []
