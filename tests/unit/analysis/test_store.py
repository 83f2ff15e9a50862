"""What is kept of an analysis beside its object fits into an item, whatever the document."""

import gzip
import random

from documents.analysis.model import ActionItem, Analysis, Findings, TextSpan
from documents.analysis.store import MOST_BYTES, Statements, decode, encode


def analysis(*whats: str) -> Analysis:
    def action(what: str) -> ActionItem:
        return ActionItem(what=what, spans=[TextSpan(page=1, label="page 1", start=0, end=len(what), quote=what)])

    findings = Findings(actions=[action(what) for what in whats])
    stamps = {"written_at": "2026-01-01T00:00:00.000Z", "at": "2026-01-01T00:00:00.000Z"}
    known = {"document_id": "doc_1", "version": 1, "revision": 1, "method": "rules", "ranked_by": "words", "pages": 1}
    return Analysis.model_validate({**known, **stamps, "findings": findings})


def test_an_analysis_is_read_as_it_was_written() -> None:
    given = analysis("send the report", "отправить отчёт 🙂")
    encoded = encode(given)
    assert decode(encoded.body) == given
    assert encoded.complete and encode(given) == encoded


def test_statements_that_would_not_fit_are_left_out_and_said_to_be() -> None:
    chance = random.Random(1)
    huge = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4000)) for _ in range(200)]
    encoded = encode(analysis(*huge))
    assert len(encoded.statements) <= MOST_BYTES and not encoded.complete
    assert decode(encoded.body) == analysis(*huge)
    kept = Statements.model_validate_json(gzip.decompress(encoded.statements))
    assert 0 < len(kept.actions) < 200


def test_what_is_no_analysis_reads_as_none() -> None:
    assert decode(b"") is None
    assert decode(b"not gzip") is None
