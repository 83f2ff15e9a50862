"""Text in any encoding."""

import pytest

from tests.unit.reading.world import texts

RUSSIAN = "Мы обещали заказчику закончить перенос данных до конца ноября, и это ещё не сделано.\n"
WRITTEN = {
    **dict.fromkeys(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"), RUSSIAN),
    **dict.fromkeys(("cp1251", "koi8-r"), RUSSIAN),
    "shift_jis": "プロジェクトの計画書です。来週の会議で説明します。\n",
    "euc_jp": "プロジェクトの計画書です。来週の会議で説明します。\n",
    "gb18030": "项目计划书,下周开会讨论。我们需要完成数据迁移工作。\n",
    "big5": "專案計畫書，下週開會討論。我們需要完成資料移轉工作。\n",  # noqa: RUF001
    "euc_kr": "프로젝트 계획서입니다. 다음 주 회의에서 설명합니다.\n",
    "latin-1": "Die Größe der Maßnahme überschreitet das Übliche; café déjà vu, señor.\n",
    "cp1252": "“Die Größe” – so steht’s im Plan: 40 €.\n",  # noqa: RUF001
}


@pytest.mark.parametrize("encoding", WRITTEN)
def test_text_is_read_in_any_encoding(encoding: str) -> None:
    written = WRITTEN[encoding] * 20
    assert texts(written.encode(encoding), "letter.txt") == {"lines 1-20": written.strip()}


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r"])
def test_a_single_word_is_enough(encoding: str) -> None:
    assert texts("Привет".encode(encoding), "letter.txt") == {"lines 1-1": "Привет"}


def test_bytes_of_mixed_encodings_lose_what_cannot_be_told_and_nothing_else() -> None:
    content = "Größe überall\n".encode() * 50 + "Größe überall\n".encode("cp1252")
    (text,) = texts(content, "log.txt").values()
    assert text.count("\n") == 50
    assert text.startswith("Gr")


def test_a_page_of_the_web_is_read_in_the_encoding_that_it_declares() -> None:
    content = "<html><head><meta charset='windows-1251'></head><body><h1>Обзор</h1><p>Июль</p></body></html>"
    assert texts(content.encode("cp1251")) == {"Обзор": "# Обзор\n\nИюль"}


def test_line_ends_and_control_characters_become_plain() -> None:
    assert texts(b"one\r\ntwo\rthree\x07 four\x1b[0m\n" + b"text " * 50, "a.txt")["lines 1-4"].startswith(
        "one\ntwo\nthree four[0m\n"
    )
