"""What is stored of a document's text: through the worker's handler, checked against the pages."""

import gzip
import json
import time
from collections.abc import Iterator

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.embeddings.cache import EmbeddingService, VectorCache
from almanac.embeddings.factory import from_name
from almanac.events import AnalyseDocument
from almanac.limits import quotas
from almanac.limits.spending import Ledger, MeteredModel, prices
from almanac.llm.base import ModelBusy
from almanac.llm.testing import ScriptedModel
from almanac.settings import QuotaSettings
from almanac.text.chunking import chunk_source, embedding_text
from almanac.worker.batch import Deadline
from documents import analysis
from documents.analysis import rules, wiring
from documents.analysis.model import Analysis
from documents.analysis.reader import ModelReader
from documents.analysis.store import encode
from documents.analysis.vectors import passages
from documents.model import Document, DocumentState
from documents.store import DocumentStore
from tests.integration.documents.written import Writer, sources
from tests.integration.harness import Stack

MINUTES = """# Weekly meeting
Date: 12 March 2026
Attendees: Ann Lee, Bob Stone

The team went through the state of the data migration and of the contract with Acme Ltd.

## Decisions
- Invoices are kept for ten years.

## Action items
- Ann: send the contract to Acme by 20 March
"""
RISKS = """## Risks
| Risk | Likelihood | Impact |
|---|---|---|
| The supplier is late | High | Medium |

## Open questions
- Who pays for the licences?
"""


@pytest.fixture
def writer(stack: Stack) -> Writer:
    return Writer(stack, stack.tenant())


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """Have a language model that says what its lines say; tests replace them."""
    scripted = ScriptedModel('{"items": []}')
    analyst = wiring.analyst()
    object.__setattr__(analyst, "reader", ModelReader(scripted))
    yield scripted
    object.__setattr__(analyst, "reader", None)


def stored(writer: Writer, document: Document) -> Analysis:
    found = writer.analysis(document)
    assert found is not None
    return found


def test_an_analysis_holds_each_finding_with_its_page_and_quote(writer: Writer) -> None:
    document = writer.write(MINUTES, "Nothing here.", RISKS)
    found = stored(writer, document).findings
    (action,) = found.actions
    assert (action.what, action.who) == ("send the contract to Acme", "Ann")
    assert action.when is not None and action.when.date == "2026-03-20"
    (span,) = action.spans
    assert (span.page, span.label, span.quote) == (1, "page 1", "Ann: send the contract to Acme by 20 March")
    assert MINUTES[span.start : span.end] == span.quote
    assert [each.what for each in found.decisions] == ["Invoices are kept for ten years."]
    (risk,) = found.risks
    assert (risk.what, risk.likelihood, risk.impact, risk.mitigation) == (
        "The supplier is late",
        "High",
        "Medium",
        None,
    )
    assert risk.spans[0].page == 3
    assert [each.what for each in found.questions] == ["Who pays for the licences?"]
    assert {name.name for name in found.names} == {"Ann Lee", "Bob Stone", "Acme Ltd"}


def test_an_analysis_says_that_rules_made_it_and_what_ranked_its_summary(writer: Writer) -> None:
    made = stored(writer, writer.write(MINUTES))
    assert (made.method, made.ranked_by, made.fallback) == ("rules", "words", None)
    assert any("data migration" in sentence.text for sentence in made.findings.summary)


def test_the_summary_is_ranked_by_the_vectors_that_the_index_made(writer: Writer) -> None:
    document = writer.write(MINUTES, RISKS, analyse=False)
    pages = list(sources(document, [MINUTES, RISKS], 0, document.created_at))
    embedder = from_name("test:hash")
    texts = [embedding_text(chunk) for source in pages for chunk in chunk_source(source)]
    assert len(passages([(1, pages[0]), (2, pages[1])])) == len(texts)
    runtime.run(EmbeddingService(embedder, VectorCache(writer.table, writer.tenant, embedder)).embed(texts))
    writer.analyse(document)
    assert stored(writer, document).ranked_by == "words+vectors"


def test_secrets_are_masked_before_anything_is_stored(writer: Writer) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    document = writer.write(f"## Action items\n- Ann: rotate the token {secret} by 20 March 2026\n")
    body = runtime.run(writer.blobs.get(keys.document_analysis_object(writer.tenant, document.id, document.revision)))
    assert body is not None
    text = gzip.decompress(body).decode()
    assert "rotate the token" in text
    assert secret not in text
    item = runtime.run(writer.table.get(keys.document_analysis(writer.tenant, document.id)))
    assert item is not None
    assert secret not in gzip.decompress(item["statements"]).decode()


def test_an_analysis_that_comes_again_stores_the_same(writer: Writer) -> None:
    document = writer.write(MINUTES)
    first = stored(writer, document)
    writer.analyse(document)
    assert stored(writer, document).model_copy(update={"at": first.at}) == first


def test_a_late_analysis_does_not_replace_that_of_a_later_revision(writer: Writer) -> None:
    document = writer.write(MINUTES)
    older = stored(writer, document)
    writer.revise(document, RISKS)
    assert runtime.run(writer.analyses.save(older, encode(older)))
    item = runtime.run(writer.table.get(keys.document_analysis(writer.tenant, document.id)))
    assert item is not None and item["revision"] == 2


def test_a_document_that_is_deleted_meanwhile_leaves_no_analysis(writer: Writer) -> None:
    document = writer.write(MINUTES)
    analysis = stored(writer, document)
    runtime.run(_delete(writer, document))
    assert not runtime.run(writer.analyses.save(analysis, encode(analysis)))
    prefix = keys.document_analysis_object(writer.tenant, document.id, document.revision)
    assert runtime.run(_versions(writer, prefix)) == []


async def _delete(writer: Writer, document: Document) -> None:
    store = DocumentStore(writer.table, writer.tenant)
    await store.save(document, "test", state=DocumentState.DELETING)


async def _versions(writer: Writer, prefix: str) -> list[str]:
    return [version.key async for version in writer.blobs.versions(prefix)]


def test_trouble_is_a_warning_and_no_error(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    document = writer.write(MINUTES, analyse=False)

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(rules, "find", broken)
    event = AnalyseDocument(
        tenant_id=writer.tenant, correlation_id="test", document_id=document.id, revision=document.revision
    )
    warning = runtime.run(analysis.run(event, Deadline(time.monotonic() + 60)))
    assert warning is not None and "searchable" in warning
    assert writer.analysis(document) is None


def test_a_model_adds_what_stands_in_the_text_and_is_named(writer: Writer, model: ScriptedModel) -> None:
    text = "We spoke at length. Somebody really ought to look after the certificates before they run out."
    claim = {
        "kind": "action",
        "n": 1,
        "quote": "Somebody really ought to look after the certificates before they run out.",
        "what": "look after the certificates",
        "who": None,
        "when": None,
        "likelihood": None,
        "impact": None,
    }
    model._lines[:] = [json.dumps({"items": [claim]})]
    analysis = stored(writer, writer.write(text))
    assert analysis.method == "test:scripted"
    assert [(each.what, each.found_by) for each in analysis.findings.actions] == [
        ("look after the certificates", "model")
    ]


def test_a_model_that_is_busy_leaves_the_findings_of_the_rules(writer: Writer, model: ScriptedModel) -> None:
    model._lines[:] = [ModelBusy("later")]
    made = stored(writer, writer.write(MINUTES))
    assert (made.method, made.fallback) == ("rules", "model_unavailable")
    assert len(made.findings.actions) == 1


def test_a_tenant_that_has_spent_its_budget_is_served_by_rules(writer: Writer, model: ScriptedModel) -> None:
    month = quotas.month_of(time.time())
    limits = quotas.Quotas.configured(QuotaSettings(max_model_usd=1))
    ledger = Ledger(quotas.Usage(writer.table, limits), prices('{"test:scripted": [1, 1]}'))
    object.__setattr__(wiring.analyst(), "reader", ModelReader(MeteredModel(model, ledger)))
    first = stored(writer, writer.write(MINUTES))
    assert (first.method, first.fallback) == ("test:scripted", None)
    item = runtime.run(writer.table.get(keys.usage(writer.tenant)))
    assert item is not None and item[f"spend_{month}"] > 0

    runtime.run(writer.table.write(quotas.added(writer.tenant, **{f"spend_{month}": 2_000_000})))
    asked = len(model.requests)
    ledger = Ledger(quotas.Usage(writer.table, limits), prices('{"test:scripted": [1, 1]}'))
    object.__setattr__(wiring.analyst(), "reader", ModelReader(MeteredModel(model, ledger)))
    second = stored(writer, writer.write(MINUTES + "\nMore."))
    assert second.method == "rules" and second.fallback
    assert len(model.requests) == asked
    assert len(second.findings.actions) == 1


def test_the_configured_model_is_metered(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_LANGUAGE_MODEL", "openai:gpt-4o-mini")
    for cached in (wiring.settings, wiring.language_model):
        cached.cache_clear()
    try:
        configured = wiring.language_model()
        assert isinstance(configured, MeteredModel)
        assert configured.name == "openai:gpt-4o-mini"
    finally:
        for cached in (wiring.settings, wiring.language_model):
            cached.cache_clear()
