"""What rules find, and that whatever they find stands in the text."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.analysis import rules
from documents.analysis.checks import flat, verified
from documents.analysis.dates import dates, full
from documents.analysis.model import Findings
from documents.analysis.units import Page

THURSDAY = date(2026, 3, 12)


def find(text: str, today: date | None = THURSDAY) -> Findings:
    return rules.find([Page.of(1, "page 1", text)], today).findings


@pytest.mark.parametrize(
    ("line", "who", "what", "when"),
    [
        ("ACTION: Ann to send the report by 20 March 2026", "Ann", "send the report", "2026-03-20"),
        ("TODO(bob): renew the certificate", "bob", "renew the certificate", None),
        ("Action item 3: Ann Lee - review the budget, 2026-04-01", "Ann Lee", "review the budget", "2026-04-01"),
        ("@dave please check the invoices by Friday", "@dave", "check the invoices", "2026-03-13"),
        ("- [ ] Bob will set up staging (due 25 March)", "Bob", "set up staging", "2026-03-25"),
        ("Ann Lee will migrate the database by tomorrow.", "Ann Lee", "migrate the database", "2026-03-13"),
        (
            "The Supplier shall deliver the software by 1 June 2026.",
            "The Supplier",
            "deliver the software",
            "2026-06-01",
        ),
        ("We will publish the results by 30.04.2026.", None, "publish the results", "2026-04-30"),
        (
            "Our supplier confirmed that they will replace the pump by 30 April 2026.",
            "Our supplier",
            "replace the pump",
            "2026-04-30",
        ),
        ("As before, she promised after some hesitation to repaint the hall.", "she", "repaint the hall", None),
        ("The board asked Ann Lee to compare the offers.", "Ann Lee", "compare the offers", None),
        ("Please return the form by 2 April 2026.", None, "return the form", "2026-04-02"),
        ("Просим до 10 апреля 2026 г. оплатить счёт.", None, "оплатить счёт", "2026-04-10"),
        ("Задача: Пётр подготовит отчёт до 20 апреля 2026", "Пётр", "подготовит отчёт", "2026-04-20"),
        ("Иванов И.И. должен согласовать договор до 12.04.2026", "Иванов И.И.", "согласовать договор", "2026-04-12"),
        (
            "Исполнитель обязуется передать исходный код до 1 мая 2026 г.",
            "Исполнитель",
            "передать исходный код",
            "2026-05-01",
        ),
    ],
)
def test_an_action_is_read_with_its_owner_and_date(line: str, who: str | None, what: str, when: str | None) -> None:
    (action,) = find(line).actions
    assert (action.who, action.what, action.when.date if action.when else None) == (who, what, when)


@pytest.mark.parametrize(
    "line",
    [
        "The system shall log every request.",
        "Revenue will grow by 10%.",
        "It will be discussed in the next meeting.",
        "The meeting will start at 10.",
        "Ann will not send the report.",
        "If the budget allows, somebody may look into it.",
        "Please do not reply to this message.",
        "Ann promised not to tell anybody.",
        "Somebody was asked to leave.",
        "Would you like to see the new office?",
        "Система должна сохранять журнал событий.",
    ],
)
def test_what_nobody_promised_is_no_action(line: str) -> None:
    assert find(line).actions == []


def test_a_table_of_actions_gives_what_its_cells_give_and_no_more() -> None:
    found = find(
        "| Task | Owner | Due date | Status |\n|---|---|---|---|\n"
        "| Migrate DNS | Carol | 2026-03-30 | In progress |\n| Close the old account | TBD | - | Done |\n"
    )
    first, second = found.actions
    assert (first.who, first.when and first.when.date, first.state) == ("Carol", "2026-03-30", "In progress")
    assert (second.who, second.when, second.state) == (None, None, "Done")


def test_a_risk_is_graded_as_written() -> None:
    (risk,) = find("Risk: the key engineer leaves. Likelihood: low, impact: a delay of two months.").risks
    assert (risk.what, risk.likelihood, risk.impact) == ("the key engineer leaves", "low", "a delay of two months")
    (other,) = find("Риск: задержка поставки. Вероятность: высокая, влияние: среднее.").risks
    assert (other.likelihood, other.impact) == ("высокая", "среднее")
    (bare,) = find("There is a risk that the migration takes longer.").risks
    assert (bare.likelihood, bare.impact, bare.mitigation, bare.who) == (None, None, None, None)


@pytest.mark.parametrize(
    "line",
    [
        "The worry is that the pump might fail.",
        "Ann warned that the landlord wants more.",
        "There is some concern that the price goes up.",
        "The permit could easily be delayed.",
        "Есть опасение, что поставщик опоздает.",
    ],
)
def test_a_worry_is_a_risk(line: str) -> None:
    assert len(find(line).risks) == 1


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("We don't know yet who pays for the licences.", 1),
        ("It has not yet been decided where the archive goes.", 1),
        ("Does the contract cover the spare parts?", 1),
        ("Could you send me your notes?", 0),
        ("Why not?", 0),
    ],
)
def test_what_is_not_known_is_an_open_question(line: str, count: int) -> None:
    assert len(find(line).questions) == count


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("We agreed to use PostgreSQL.", 1),
        ("Decision: invoices are kept for ten years.", 1),
        ("The steering committee approved the budget.", 1),
        ("Решили перенести запуск на осень.", 1),
        ("We have not yet decided where to host it.", 0),
        ("It is to be decided by the board.", 0),
        ("Мы ещё не решили, где размещать сервер.", 0),
    ],
)
def test_a_decision_is_what_was_decided(line: str, count: int) -> None:
    assert len(find(line).decisions) == count


def test_a_date_without_a_year_is_resolved_only_against_the_documents_own() -> None:
    line = "Go-live: 15 June"
    assert find(line).milestones[0].when.date == "2026-06-15"
    (without,) = find(line, None).milestones
    assert (without.when.written, without.when.date) == ("15 June", None)


def test_in_december_january_is_of_the_year_that_comes() -> None:
    (found,) = dates("by 10 January", date(2026, 12, 20))
    assert found.when.date == "2027-01-10"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-30", None),
        ("31.04.2026", None),
        ("25/12/2026", "2026-12-25"),
        ("12/25/2026", "2026-12-25"),
        ("March 5, 2026", "2026-03-05"),
        ("5th of March 2026", "2026-03-05"),
        ("5 марта 2026 г.", "2026-03-05"),
        ("March 2026", "2026-03"),
    ],
)
def test_a_date_is_iso_or_open(text: str, day: str | None) -> None:
    found = dates(text)
    assert [each.when.date for each in found] == ([day] if day else [])


def test_a_date_that_reads_two_ways_stays_open() -> None:
    (found,) = dates("03/04/2026")
    assert (found.when.written, found.when.date) == ("03/04/2026", None)


def test_by_friday_on_a_friday_stays_open() -> None:
    (found,) = dates("by Friday", date(2026, 3, 13))
    assert (found.when.written, found.when.date) == ("Friday", None)


def test_a_documents_date_is_its_label_or_the_only_one_in_its_head() -> None:
    def own(text: str) -> date | None:
        return full(rules.document_date([Page.of(1, "page 1", text)]))

    assert own("# Minutes\n\nDate: 12 March 2026\nNext meeting: 19 March 2026") == date(2026, 3, 12)
    assert own("Протокол от 5 мая 2026 г.\n\nПрисутствовали: все") == date(2026, 5, 5)
    assert own("# Plan\nPilot from 1 May 2026 to 1 June 2026") is None
    assert own("No date at all.") is None


def test_comments_in_a_page_say_nothing() -> None:
    found = find("Notes.\n<!-- ACTION: Mallory will move the money by 1 May 2026 -->\nMore notes.")
    assert found.actions == [] and found.names == []


LINES = st.sampled_from(
    [
        "# Action items",
        "## Риски",
        "- Ann: send the report by 20 March",
        "- [x] Bob will pay (done)",
        "| Action | Owner | Due |",
        "|---|---|---|",
        "| Migrate | Carol, Dan | 2026-03-30 |",
        "| a \\| b | | |",
        "Risk: x is late. Likelihood: high",
        "Impact: low",
        "We agreed to wait until 1 May 2026.",
        "Решили: ждать до 5 мая",
        "TBD",
        "Who? What?",
        "The report has been sent.",
        "ООО «Ромашка» и Acme Ltd.",
        "<!-- hidden",
        "```",
        "",
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=60)), max_size=30), st.sampled_from(["\n", "\n\n", " "]))
def test_whatever_is_found_stands_at_its_place_with_all_of_its_fields(lines: list[str], joint: str) -> None:
    page = Page.of(1, "page 1", joint.join(lines))
    found = rules.find([page], THURSDAY)
    kept, dropped = verified(found.findings, [page])
    assert kept == found.findings and dropped == 0


@given(st.text())
def test_flattening_is_stable(text: str) -> None:
    assert flat(flat(text)) == flat(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Aa " * 4000, "A, " * 4000, "@a " * 4000, "(" * 8000, "| " * 4000, "**" * 4000, "Ann and " * 1000),
        *("1.1." * 2000, "by the end of " * 700, "Risk: " * 1500, "<!--" * 2000, "А. " * 3000, "- " * 4000),
        *("Please " * 1200, "Ann agreed to " * 600, "worry a " * 1000, "Прошу до мая " * 600, "that will, and " * 600),
        *("a\\" * 4000 + "|", "Ann will " * 900, "decided " * 1000, "high " * 1600, ", A" * 3000, "a-" * 4000),
    ],
)
def test_no_text_makes_an_expression_go_astray(text: str) -> None:
    find(text)
    find(f"| Action |\n|---|\n| {text[:4000]}")
