"""Differences: whatever changed is shown on its page, and nothing else is."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index.sources import Place
from documents.diff import saying
from documents.diff.aligning import changes
from documents.diff.paragraphs import Page, paragraphs
from documents.diff.passages import Passage, passages
from documents.diff.words import replaced

TERMS = "Payment is due net 30 after the invoice was received."
SCOPE = "The contractor delivers two cranes to the northern yard."
LAW = "This contract is governed by the law of the Netherlands."
ANNEX = "The annex lists the spare parts that are kept on site."


def pages(*texts: str) -> list[Page]:
    return [Page(n, Place(unit="page", number=n, label=f"page {n}"), text) for n, text in enumerate(texts, 1)]


def compared(before: list[Page], after: list[Page]) -> list[Passage]:
    return passages(changes(paragraphs(before), paragraphs(after)))


def said(before: list[Page], after: list[Page]) -> list[str]:
    return [saying.sentence(each) for each in compared(before, after)]


def test_a_changed_number_is_said_with_the_word_before_it_and_its_page() -> None:
    before, after = pages(SCOPE, LAW, TERMS), pages(SCOPE, LAW, TERMS.replace("30", "45"))
    assert said(before, after) == ['page 3: "net 30" became "net 45"']
    (change,) = compared(before, after)
    assert change.before
    assert change.after
    assert [change.before.text[slice(*place)] for place in change.marks(change.before)] == ["30"]
    assert [change.after.text[slice(*place)] for place in change.marks(change.after)] == ["45"]


def test_what_was_added_removed_and_moved_is_told_apart() -> None:
    before = pages(f"{TERMS}\n\n{SCOPE}", LAW, "Last words.")
    after = pages(TERMS, LAW, f"Last words.\n\n{ANNEX}\n\n{SCOPE}")
    assert said(before, after) == [f'page 3: added "{ANNEX}"', f'page 3: moved from page 1: "{SCOPE}"']
    assert said(after, before) == [f'page 1: moved from page 3: "{SCOPE}"', f'page 3: removed "{ANNEX}"']


def test_neighbours_that_were_added_to_one_page_are_one_passage() -> None:
    before, after = pages(TERMS), pages(f"{TERMS}\n\n{SCOPE}\n\n{ANNEX}", LAW)
    found = compared(before, after)
    assert [(each.kind, each.after.text) for each in found if each.after] == [
        ("added", f"{SCOPE}\n\n{ANNEX}"),
        ("added", LAW),
    ]


def test_a_cell_is_named_as_the_spreadsheet_does() -> None:
    place = Place(
        unit="sheet", number=1, label="sheet Costs", sheet="Costs", first_row=1, first_column=1, columns=2, data_row=2
    )
    table = "| Item | Price |\n| --- | --- |\n| Crane | 900 |\n| Drill | 40 |"
    before, after = [Page(1, place, table)], [Page(1, place, table.replace("900", "950"))]
    assert said(before, after) == ['sheet Costs, A2:B2: "900" became "950"']


def test_blank_space_and_rules_are_no_change_and_nothing_is_said() -> None:
    assert compared(pages(f"{TERMS}\n\n---\n\n{LAW}"), pages(f"\n{TERMS.replace(' ', '  ')}\n\n\n{LAW}\n")) == []
    assert saying.overview(saying.counted([])) == "The text is the same."


def test_how_much_changed_is_counted() -> None:
    found = compared(pages(TERMS, SCOPE), pages(TERMS.replace("30", "45"), ANNEX))
    assert saying.overview(saying.counted(found)) == "3 passages differ: 1 added, 1 removed and 1 changed."


def test_a_long_quote_is_cut_and_a_long_list_of_words_counted() -> None:
    long = "word " * 60
    (added,) = said(pages(TERMS), pages(TERMS, long))
    assert added.endswith('…"')
    assert len(added) < 120
    before = " ".join(f"same{n} x{n}a" for n in range(9))
    (changed,) = said(pages(before), pages(before.replace("a ", "b ")))
    assert changed.endswith("; and 5 more")


texts = st.lists(st.sampled_from([TERMS, SCOPE, LAW, ANNEX, "Short.", "| a | 1 |", "# Head"]), max_size=8)
documents = st.lists(texts.map("\n\n".join), max_size=4).map(lambda found: pages(*found))


@settings(max_examples=300, deadline=None)
@given(documents, documents)
def test_whatever_only_one_version_has_is_shown(before: list[Page], after: list[Page]) -> None:
    """Taking away what is shown of either leaves the same paragraphs, in the same order but for what moved."""
    one, other = paragraphs(before), paragraphs(after)
    found = changes(one, other)
    shown_before = {id(each.before) for each in found if each.before}
    shown_after = {id(each.after) for each in found if each.after}
    left = [each.key for each in one if id(each) not in shown_before]
    assert left == [each.key for each in other if id(each) not in shown_after]
    assert all(
        each.before and each.after and each.before.key == each.after.key for each in found if each.kind == "moved"
    )
    assert compared(before, before) == []


@settings(max_examples=300, deadline=None)
@given(st.text("ab 1.,|", max_size=40), st.text("ab 1.,|", max_size=40))
def test_marks_lie_in_order_inside_their_texts(before: str, after: str) -> None:
    for text, places in (
        (before, [r.before for r in replaced(before, after)]),
        (after, [r.after for r in replaced(before, after)]),
    ):
        assert all(0 <= start <= end <= len(text) for start, end in places)
        assert places == sorted(places)


@pytest.mark.parametrize("shuffled", [False, True])
def test_thousands_of_pages_are_compared_in_bounded_steps(shuffled: bool) -> None:
    before = pages(*(f"Clause {n} of the general terms.\n\nThe same line everywhere." for n in range(3000)))
    texts = [page.text.replace("Clause 77 ", "Clause 77 a ") for page in before]
    if shuffled:
        random.Random(1).shuffle(texts)
    found = compared(before, pages(*texts))
    assert any(each.after and "77 a" in each.after.text for each in found)
    if not shuffled:
        assert len(found) == 1
