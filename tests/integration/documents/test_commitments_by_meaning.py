"""Vectors of what documents state: made by the worker that holds the model, once, and gone with the document."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.table import ConditionFailed
from almanac.embeddings import statements
from almanac.embeddings.statements import Meanings, answering, name_of
from almanac.embeddings.testing import HashEmbedder
from almanac.events import DeleteDocument, EmbedStatements
from almanac.worker.batch import Deadline
from documents import deletion
from documents.deletion.beginning import begin, receipt_of
from documents.model import Document
from documents.store import DocumentStore
from search import statements as worker
from search import wiring
from tests.integration.documents.written import Writer
from tests.integration.harness import Stack

PROMISE = "Date: 2 March 2026\n\n## Action items\n- Ann: order new laptops for the interns by 20 March 2026\n"
DEADLINE = Deadline(math.inf)
OTHER_WORDS = {
    "order new laptops for the interns": [120, 5, 1],
    "The notebooks of the trainees have been delivered.": [120, 9, 1],
}
DELIVERED = "Date: 9 March 2026\n\nThe notebooks of the trainees have been delivered.\n"


class Meant(HashEmbedder):
    """Knows what the sentences of these tests mean; others are as the model for tests has them."""

    async def embed_documents(self, texts: Any) -> Any:
        codes = await super().embed_documents(texts)
        for row, text in enumerate(texts):
            if text in OTHER_WORDS:
                codes[row] = 0
                codes[row, :3] = OTHER_WORDS[text]
        return codes


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Meant:
    """Have the tenants' model take part in comparisons."""
    embedder = Meant()
    monkeypatch.setattr(statements, "COMPARABLE", frozenset({embedder.slug}))
    monkeypatch.setattr(wiring, "embedder_for", lambda _: embedder)
    return embedder


@pytest.fixture
def writer(stack: Stack, model: Meant) -> Iterator[Writer]:
    del model
    writer = Writer(stack, stack.tenant())
    writer.make_project()
    yield writer


def commitments(writer: Writer) -> dict[str, Any]:
    answer = writer.get(f"/api/v1/projects/{writer.project}/commitments")
    assert answer.status == 200, answer.text
    return dict(answer.json)


def row(writer: Writer, document: Document) -> Meanings | None:
    item = runtime.run(writer.table.get(keys.document_meaning(writer.tenant, document.id)))
    return Meanings.from_item(item) if item else None


def ask(writer: Writer, document: Document, revision: int = 1) -> None:
    """Deliver the message that asks for vectors."""
    event = EmbedStatements(tenant_id=writer.tenant, correlation_id="test", document_id=document.id, revision=revision)
    runtime.run(worker.embed(event, DEADLINE))


def test_a_promise_that_was_kept_in_other_words_is_closed_and_says_what_told_so(writer: Writer) -> None:
    writer.write(PROMISE)
    writer.write(DELIVERED)
    found = commitments(writer)
    (item,) = found["items"]
    assert (item["status"], [later["matched_by"] for later in item["later"]]) == ("closed", ["vectors"])
    assert (found["matched_by"], found["documents_by_words"]) == ("words+vectors", 0)


def test_without_vectors_words_decide_and_the_answer_says_so(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "COMPARABLE", frozenset[str]())
    first = writer.write(PROMISE)
    writer.write(DELIVERED)
    found = commitments(writer)
    assert [item["status"] for item in found["items"]] == ["stale"]
    assert (found["matched_by"], found["documents_by_words"]) == ("words", 2)
    assert row(writer, first) is None


def test_what_was_stated_before_is_not_embedded_again(writer: Writer, model: Meant) -> None:
    document = writer.write(PROMISE)
    assert model.embedded == ["order new laptops for the interns"]
    writer.analyse(document)
    ask(writer, document)
    later = writer.revise(document, PROMISE + "- Bob: paint the fence\n")
    assert model.embedded == ["order new laptops for the interns", "paint the fence"]
    found = row(writer, later)
    assert found is not None and found.texts is None
    assert set(found.codes) == {name_of(text) for text in model.embedded}


def test_of_a_revision_that_states_nothing_no_vectors_are_left(writer: Writer) -> None:
    document = writer.write(PROMISE)
    assert row(writer, document) is not None
    writer.revise(document, "Lunch was good.")
    assert row(writer, document) is None


def test_a_message_of_an_older_revision_changes_nothing(writer: Writer, model: Meant) -> None:
    document = writer.write(PROMISE)
    before, embedded = row(writer, document), list(model.embedded)
    ask(writer, document, revision=7)
    assert (row(writer, document), model.embedded) == (before, embedded)


def test_text_in_letters_that_the_model_does_not_read_is_compared_by_words(writer: Writer, model: Meant) -> None:
    document = writer.write("## Задачи\n- Анна: отправить подписанный договор до 20 марта 2026\n")
    assert writer.analysis(document) is not None
    assert (row(writer, document), model.embedded) == (None, [])


def test_a_deletion_takes_the_vectors_and_none_come_back_after_it(writer: Writer) -> None:
    document = writer.write(PROMISE)
    found = row(writer, document)
    assert found is not None
    store = DocumentStore(writer.table, writer.tenant)
    receipt = runtime.run(begin(store, document, "key_test", "test"))
    assert receipt is not None
    event = DeleteDocument(tenant_id=writer.tenant, correlation_id="test", document_id=document.id)
    runtime.run(deletion.run(event, DEADLINE, writer.table, writer.blobs))
    assert row(writer, document) is None
    ask(writer, document)
    with pytest.raises(ConditionFailed):
        runtime.run(writer.table.write(answering(writer.tenant, document.id, found)))
    assert row(writer, document) is None
    done = runtime.run(receipt_of(writer.table, writer.tenant, document.id))
    assert done is not None and done.counts["vector"] == len(found.codes)
