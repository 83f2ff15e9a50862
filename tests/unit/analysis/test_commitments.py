"""What becomes of promises, by what later documents say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.analysis import rules
from documents.analysis.commitments import Commitment, CommitmentSays, CommitmentStatus, Told, derive
from documents.analysis.dates import full
from documents.analysis.likeness import same_person
from documents.analysis.store import Statements
from documents.analysis.units import Page

PROMISE = "Date: 2 March 2026\n\n## Action items\n- Ann: send the signed contract to Acme by 20 March 2026\n"
OTHERS = "- Bob: renew the certificates of the staging servers\n- Carol: order lunch for the workshop\n"


def told(number: int, text: str, *, day: str = "2026-01-01") -> Told:
    pages = [Page.of(1, "page 1", text)]
    own = rules.document_date(pages)
    found = rules.find(pages, full(own)).findings
    statements = Statements(
        document_date=own,
        written_at=f"{day}T00:00:00.000Z",
        actions=found.actions,
        decisions=found.decisions,
        updates=found.updates,
    )
    return Told(f"doc_{number}", f"Notes {number}", 1, statements)


def contract(*texts: str) -> Commitment:
    documents = [told(number, text) for number, text in enumerate(texts, 1)]
    return next(each for each in derive(documents) if "contract" in each.what)


def test_what_was_promised_last_is_open() -> None:
    found = contract(PROMISE + OTHERS)
    assert (found.status, found.promised.who, found.later) == (CommitmentStatus.OPEN, "Ann", [])


@pytest.mark.parametrize(
    ("later", "says", "status"),
    [
        ("The signed contract was sent to Acme.", CommitmentSays.DONE, CommitmentStatus.CLOSED),
        ("- [x] Ann: send the signed contract to Acme", CommitmentSays.DONE, CommitmentStatus.CLOSED),
        (
            "| Action | Owner | Status |\n|---|---|---|\n| Send the signed contract to Acme | Ann | Done |",
            CommitmentSays.DONE,
            CommitmentStatus.CLOSED,
        ),
        (
            "ACTION: Ann: send the signed contract to Acme by 27 March 2026",
            CommitmentSays.OTHER_DATE,
            CommitmentStatus.CONTRADICTED,
        ),
        (
            "ACTION: Bob: send the signed contract to Acme by 20 March 2026",
            CommitmentSays.OTHER_OWNER,
            CommitmentStatus.CONTRADICTED,
        ),
        ("The signed contract will not be sent to Acme.", CommitmentSays.DROPPED, CommitmentStatus.CONTRADICTED),
        ("We decided not to send the signed contract to Acme.", CommitmentSays.DROPPED, CommitmentStatus.CONTRADICTED),
        ("ACTION: Ann Lee: send the signed contract to Acme", CommitmentSays.MENTIONED, CommitmentStatus.OPEN),
    ],
)
def test_a_later_document_decides_what_became_of_it(later: str, says: CommitmentSays, status: CommitmentStatus) -> None:
    found = contract(PROMISE + OTHERS, f"Date: 9 March 2026\n\n{later}")
    assert found.status is status
    assert says in [each.says for each in found.later]
    assert {each.statement.told.document_id for each in found.later} == {"doc_2"}


def test_what_nobody_speaks_of_again_is_stale() -> None:
    found = contract(PROMISE, "Date: 9 March 2026\n\nWe talked about lunch.")
    assert (found.status, found.later) == (CommitmentStatus.STALE, [])


def test_the_documents_own_dates_tell_which_is_later() -> None:
    done = "Date: 1 February 2026\n\nThe signed contract was sent to Acme."
    assert contract(PROMISE + OTHERS, done).status is CommitmentStatus.OPEN


def test_a_done_promise_that_is_listed_again_is_contradicted() -> None:
    done = "Date: 9 March 2026\n\nThe signed contract was sent to Acme."
    again = "Date: 16 March 2026\n\nACTION: Ann: send the signed contract to Acme"
    found = contract(PROMISE + OTHERS, done, again)
    assert [each.says for each in found.later] == [CommitmentSays.DONE, CommitmentSays.OPEN_AGAIN]
    assert found.status is CommitmentStatus.CONTRADICTED


def test_promises_that_share_a_word_are_two() -> None:
    other = "Date: 9 March 2026\n\nACTION: Bob: archive the contract of the old office"
    documents = [told(1, PROMISE + OTHERS), told(2, other)]
    assert len(derive(documents)) == 4


def test_a_name_is_the_same_person_as_its_part() -> None:
    assert same_person("Ann", "Ann Lee") and same_person("@ann", "Ann")
    assert not same_person("Ann Lee", "Ann Smith")


@settings(deadline=None)
@given(st.permutations(range(5)))
def test_the_order_of_reading_does_not_matter(order: list[int]) -> None:
    texts = [
        PROMISE + OTHERS,
        "Date: 9 March 2026\n\nACTION: Ann: send the signed contract to Acme by 27 March 2026",
        "Date: 16 March 2026\n\nThe signed contract was sent to Acme.",
        "Date: 16 March 2026\n\nThe certificates of the staging servers have been renewed.",
        "No date here. ACTION: Dan: paint the fence",
    ]
    documents = [told(number, text) for number, text in enumerate(texts, 1)]
    expected = [(each.key, each.status, len(each.later)) for each in derive(documents)]
    found = derive([documents[place] for place in order])
    assert [(each.key, each.status, len(each.later)) for each in found] == expected
