"""Sources that contradict each other are shown side by side, and nothing else is."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.index.sources import Kind, SourceInfo
from almanac.llm.testing import ScriptedModel
from search.asking.facts import differing, facts_of
from search.asking.passages import Passage
from search.asking.service import Answer
from tests.unit.asking.support import ask, passage

QUESTION = "When are invoices of suppliers paid?"
THIRTY = "Invoices of suppliers are paid within 30 days of receipt."
SIXTY = "Invoices of suppliers are paid within 60 days of receipt."


def page(document: str, text: str, number: int = 1) -> Passage:
    """Return a page of a document."""
    name = f"{document}:{number}"
    info = SourceInfo(
        source_id=f"document:{name}",
        version=1,
        kind=Kind.DOCUMENT,
        project_id="",
        container_id="col_1",
        group_id=document,
        title=document,
    )
    return passage(name, text, kind=Kind.DOCUMENT, title=document, info=info)


def sides(answer: Answer) -> list[list[str]]:
    return [[statement.text for statement in each.statements] for each in answer.contradictions]


def test_both_sides_are_shown_with_their_citations() -> None:
    answer = ask(QUESTION, page("contract", THIRTY), page("manual", SIXTY))
    (found,) = answer.contradictions
    assert sorted(sides(answer)[0]) == [THIRTY, SIXTY]
    assert found.differs == ("number",)
    assert "Invoices" in found.about
    assert "suppliers" in found.about
    cited = {each.n: each.quote.passage.title for each in answer.citations}
    assert sorted(cited[statement.citations[0]] for statement in found.statements) == ["contract", "manual"]
    # Nearly the same words are said once, unless they say different things.
    assert {THIRTY, SIXTY} <= {sentence.text for sentence in answer.sentences}


def test_a_short_answer_hides_no_side() -> None:
    answer = ask(QUESTION, page("contract", THIRTY), page("manual", SIXTY), limit=1)
    assert len(answer.sentences) == 1
    assert sorted(sides(answer)[0]) == [THIRTY, SIXTY]


@pytest.mark.parametrize(
    ("question", "one", "other", "differs"),
    [
        (
            "When does the contract end?",
            "The contract ends on 1 March 2026.",
            "The contract ends on 2026-04-01.",
            "date",
        ),
        ("When does the release start?", "The release starts on Monday.", "The release starts on Fridays.", "date"),
        ("Is data encrypted at rest?", "Data is encrypted at rest.", "Data is not encrypted at rest.", "denial"),
        (
            "Who owns the migration plan?",
            "Owner of the migration plan: Ada Lovelace",
            "The migration plan is owned by Grace Hopper.",
            "owner",
        ),
        ("What is the budget?", "The budget is € 1.5 million.", "The budget is 2,000,000 EUR.", "number"),
        (
            "How long is a session valid?",
            "A session is valid for two weeks.",
            "A session is valid for 10 days.",
            "number",
        ),
        ("What does the Crane rental cost?", "| Crane rental cost | 900 |", "| Crane rental cost | 950 |", "number"),
    ],
)
def test_it_is_said_what_they_differ_in(question: str, one: str, other: str, differs: str) -> None:
    answer = ask(question, page("a", one), page("b", other))
    assert [found.differs for found in answer.contradictions] == [(differs,)]


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        ("the same", THIRTY, THIRTY),
        ("in other words", THIRTY, "Invoices of suppliers are paid within thirty days."),
        (
            "in another unit",
            "Invoices of suppliers are paid within 14 days.",
            "Invoices of suppliers are paid in two weeks.",
        ),
        ("more is said", THIRTY, "Invoices of suppliers are paid within 30 days, or 60 days in August."),
        ("another matter", THIRTY, "Invoices of customers have to be paid within 60 days of receipt."),
        ("another number", THIRTY, "Invoices of suppliers are paid by 3 people."),
        (
            "another phase",
            "Invoices of suppliers in phase one: 30 days.",
            "Invoices of suppliers in phase two: 60 days.",
        ),
        (
            "something else is denied",
            "Invoices of suppliers are paid by bank; cash is never used.",
            "Invoices of suppliers are paid by bank.",
        ),
        ("a number is missing", THIRTY, "Invoices of suppliers are paid after receipt."),
        (
            "places in a text",
            "Invoices of suppliers are paid, see section 4.",
            "Invoices of suppliers are paid, see section 5.",
        ),
        (
            "a date that may be the same",
            "Invoices of suppliers are paid in March.",
            "Invoices of suppliers are paid on 5 March 2026.",
        ),
    ],
)
def test_what_may_all_be_right_is_no_contradiction(question: str, one: str, other: str) -> None:
    assert ask(QUESTION, page("a", one), page("b", other)).contradictions == (), question


def test_pages_of_one_document_do_not_contradict_another_document() -> None:
    assert ask(QUESTION, page("contract", THIRTY, 1), page("contract", SIXTY, 9)).contradictions == ()


def test_messages_and_prose_contradict_documents_and_code_does_not() -> None:
    assert ask(QUESTION, page("a", THIRTY), passage("b", SIXTY)).contradictions
    prose = passage("b.md", SIXTY, kind=Kind.CODE, language="markdown")
    assert ask(QUESTION, page("a", THIRTY), prose).contradictions
    code = passage("b.py", f"# {SIXTY}\npay()", kind=Kind.CODE)
    assert ask(QUESTION, page("a", THIRTY), code).contradictions == ()


def test_a_side_that_was_deleted_while_the_answer_was_made_ends_the_contradiction() -> None:
    def deleted(passages: list[Passage]) -> None:
        passages[:] = [each for each in passages if each.title != "manual"]

    answer = ask(QUESTION, page("contract", THIRTY), page("manual", SIXTY), meanwhile=deleted)
    assert answer.answered
    assert answer.contradictions == ()
    assert "60" not in answer.text


def test_no_answer_has_no_contradiction() -> None:
    assert ask("What is the capital of France?", page("a", THIRTY), page("b", SIXTY)).contradictions == ()


def said(*statements: tuple[int, str], sentence: tuple[int, str] = (1, THIRTY)) -> str:
    """Return what a model answers: one sentence, and one contradiction of these sides."""
    number, quote = sentence
    sides = [{"citations": [n], "quote": text} for n, text in statements]
    told = {"text": quote, "citations": [number], "quote": quote}
    return json.dumps({"sentences": [told], "contradictions": [{"statements": sides}]})


DAILY, WEEKLY = "Backups of the database run daily.", "Backups of the database run weekly."


def by_model(line: Any, *passages: Passage) -> Answer:
    return ask("How often do backups of the database run?", *passages, model=ScriptedModel(line))


def test_a_model_may_see_what_the_rules_do_not() -> None:
    answer = by_model(said((1, DAILY), (2, WEEKLY), sentence=(1, DAILY)), page("a", DAILY), page("b", WEEKLY))
    assert sides(answer) == [[DAILY, WEEKLY]]
    assert answer.contradictions[0].differs == ("other",)
    assert answer.contradictions[0].about == "Backups database run"


@pytest.mark.parametrize(
    ("why", "statements"),
    [
        ("an invented side", [(1, DAILY), (2, "Backups of the database never run.")]),
        ("a side that is cited wrongly", [(1, DAILY), (1, WEEKLY)]),
        ("one side", [(1, DAILY)]),
        ("the same side twice", [(1, DAILY), (1, DAILY)]),
        ("nothing in common", [(1, DAILY), (3, "The canteen closes at noon.")]),
        ("no sides", []),
    ],
)
def test_what_a_model_names_is_dropped_that_is(why: str, statements: list[tuple[int, str]]) -> None:
    passages = [page("a", DAILY), page("b", WEEKLY), page("c", "The canteen closes at noon.")]
    assert by_model(said(*statements, sentence=(1, DAILY)), *passages).contradictions == (), why


def test_a_model_that_prefers_a_side_hides_none_that_the_rules_see() -> None:
    answer = ask(QUESTION, page("contract", THIRTY), page("manual", SIXTY), model=ScriptedModel(said()))
    assert [sentence.text for sentence in answer.sentences] == [THIRTY]
    assert sorted(sides(answer)[0]) == [THIRTY, SIXTY]


@pytest.mark.parametrize(
    ("sentence", "name", "value"),
    [
        ("It costs € 5,000.", "€", 5000),
        ("It costs 5.5 EUR.", "€", "5.5"),
        ("It costs 1.234.567 euros.", "€", 1234567),
        ("It costs $3 million.", "$", 3_000_000),
        ("A share of 12 percent.", "%", 12),
        ("It takes two weeks.", "seconds", 1209600),
        ("It takes 1 year.", "months", 12),
        ("There are 40 cranes.", "crane", 40),
        ("Terms are net 45.", "net", 45),
    ],
)
def test_quantities_are_read_with_what_they_count(sentence: str, name: str, value: Any) -> None:
    assert facts_of(sentence).quantities.get(name) == frozenset({Decimal(value)})


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_the_rules_and_nothing_contradicts_itself(one: str, other: str) -> None:
    assert differing(facts_of(one), facts_of(one)) == []
    assert differing(facts_of(one), facts_of(other)) == differing(facts_of(other), facts_of(one))
