"""What a person is shown of differences, analyses and commitments: the words, and where they stand."""

from typing import Any

from tests.unit.cli.conftest import Cli, FakeApi

PATH = "/api/v1/documents/doc_1"
SPAN = {"page": 2, "label": "page 2", "start": 0, "end": 9, "quote": "Ann: send the contract by 20 March"}
WHEN = {"written": "20 March", "date": "2026-03-20"}
NOTHING: dict[str, Any] = {"summary": [], "decisions": [], "risks": [], "names": []}
SAID = {
    "document_id": "doc_1",
    "title": "Minutes",
    "document_date": "2026-03-12",
    "label": "page 2",
    "quote": SPAN["quote"],
}


def test_a_difference_is_told_in_words_and_shown_before_and_after(cli: Cli, api: FakeApi) -> None:
    before = {"page": 3, "label": "page 3", "text": "Payment is net 30.", "marks": []}
    change = {"kind": "changed", "says": 'page 3: "net 30" became "net 45"', "before": before}
    pages: list[dict[str, Any]] = [
        {"items": [{**change, "after": {**before, "text": "Payment is net 45."}}], "next_cursor": "c"}
    ]
    pages.append(
        {"items": [{**change, "kind": "removed", "says": "page 9 is gone", "after": None}], "next_cursor": None}
    )
    api.answer("GET", f"{PATH}/diff", *({"summary": ["2 passages differ."], **page} for page in pages))
    shown = cli.run("documents", "diff", "doc_1", "--from", "1", "--to", "2").stdout
    for line in ("2 passages differ.", "- Payment is net 30.", "+ Payment is net 45.", "page 9 is gone"):
        assert line in shown
    assert [request.query.get("cursor") for request in api.sent("GET", f"{PATH}/diff")] == [None, ["c"]]


def test_each_finding_is_shown_with_its_place_and_who_found_it(cli: Cli, api: FakeApi) -> None:
    action = {"what": "send the contract", "who": "Ann", "when": WHEN, "state": None, "spans": [SPAN]}
    summary = {"text": "The contract is late.", "span": SPAN}
    findings = {**NOTHING, "summary": [summary], "actions": [action]}
    found = {"method": "rules", "ranked_by": "words", "fallback": None, "findings": findings}
    api.answer("GET", f"{PATH}/analysis", found)
    shown = cli.run("documents", "analysis", "doc_1").stdout
    assert "by rules" in shown
    assert "send the contract · Ann · 20 March (page 2)" in shown
    assert "The contract is late. (page 2)" in shown
    assert "Risks" not in shown


def test_a_promise_is_shown_with_what_became_of_it_on_every_page_of_the_answer(cli: Cli, api: FakeApi) -> None:
    path = "/api/v1/projects/prj_1/commitments"
    promise = {"what": "send the contract", "who": "Ann", "when": "20 March", "promised": SAID}
    later = {**SAID, "title": "Review", "says": "other_date", "quote": "Ann sends it in April"}
    first = {"items": [{**promise, "status": "contradicted", "later": [later]}], "next_cursor": "c"}
    last = {"items": [{**promise, "status": "open", "later": []}], "next_cursor": None}
    api.answer("GET", "/api/v1/projects/prj_1", {"id": "prj_1"})
    api.answer(
        "GET",
        path,
        *({"documents_compared": 2, "matched_by": "words", "is_complete": True, **page} for page in (first, last)),
    )
    shown = " ".join(cli.run("commitments", "prj_1", "--who", "Ann").stdout.split())
    assert "contradicted send the contract (Ann, 20 March)" in shown
    assert 'another date: "Ann sends it in April" (Review, page 2, 2026-03-12; doc_1)' in shown
    assert "open send the contract" in shown
    assert api.sent("GET", path)[0].query == {"who": ["Ann"]}
