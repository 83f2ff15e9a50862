"""The row with the vectors of what a document states: what it asks for, what it answers, and that it always fits."""

import random

from almanac.aws.table import Delete, Update
from almanac.embeddings.statements import Meanings, answering, asking, name_of

TENANT, DOCUMENT = "ten_1", "doc_1"
MOST_BYTES = 400_000


def row(*writes: Update) -> Meanings:
    """Return the row as it is after the writes."""
    item: dict[str, object] = {}
    for write in writes:
        item |= write.set
        for name in write.remove:
            item.pop(name)
    return Meanings.from_item(item | {"revision": 1})


def asked(*texts: str) -> Update:
    write = asking(TENANT, DOCUMENT, 1, texts)
    assert isinstance(write, Update)
    return write


def test_what_is_asked_for_is_read_once_each_and_what_is_answered_takes_its_place() -> None:
    ask = asked("send the report", "paint the fence", "send the report")
    waiting = row(ask)
    assert waiting.texts == ["send the report", "paint the fence"]
    codes = {name_of(text): bytes([number] * 384) for number, text in enumerate(waiting.texts)}
    answered = row(ask, answering(TENANT, DOCUMENT, Meanings(1, "local-x", "f", codes)))
    assert answered == Meanings(1, "local-x", "f", codes)


def test_who_states_nothing_that_a_model_reads_keeps_no_row() -> None:
    assert isinstance(asking(TENANT, DOCUMENT, 1, []), Delete)
    assert isinstance(asking(TENANT, DOCUMENT, 1, ["подготовить отчёт", "2026 - 12"]), Delete)


def test_the_row_fits_into_an_item_with_new_texts_beside_the_codes_of_the_old() -> None:
    chance = random.Random(1)
    huge = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=1200)) for _ in range(600)]
    ask = asked(*huge)
    codes = {name_of(str(number)): chance.randbytes(384) for number in range(600)}
    answer = answering(TENANT, DOCUMENT, Meanings(1, "local-x", "f", codes))
    values = {**ask.set, **answer.set}.values()
    assert sum(len(value) for value in values if isinstance(value, bytes | str)) < MOST_BYTES
    assert 0 < len(row(ask).texts or []) < 600
