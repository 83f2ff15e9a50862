"""The answer without a language model."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from almanac.embeddings.testing import HashEmbedder
from almanac.errors import RetryableError
from almanac.index.sources import Kind
from almanac.text.chunking import chunk
from search.asking.extract import Meanings, Question, alike, extract, judged
from search.asking.questions import content_terms, content_words, coverage, rarities
from search.asking.service import NOT_FOUND
from tests.unit.asking.support import HEADERS, LEASES, LOGS, English, ask, passage

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

NOISE = [passage(f"noise{n}", f"Nothing to see in note {n}. It is about gardens and rain.") for n in range(8)]


def test_an_answer_is_made_of_the_sentences_that_speak_of_the_question() -> None:
    answer = ask("How often does the worker renew its lease?", passage("a", LEASES), passage("b", LOGS), *NOISE)
    assert answer.answered
    assert answer.how == "extractive"
    assert answer.sentences[0].text == "The worker renews its lease every ten seconds while it runs."
    (first, *_) = answer.citations
    assert first.quote.text == answer.sentences[0].text
    assert first.quote.passage.title == "a"
    assert answer.text.startswith("The worker renews its lease every ten seconds while it runs. [1]")


def test_every_sentence_cites_and_every_citation_is_used() -> None:
    answer = ask("What about leases and log groups?", passage("a", LEASES), passage("b", LOGS))
    assert all(sentence.citations for sentence in answer.sentences)
    used = {n for sentence in answer.sentences for n in sentence.citations}
    assert used == {cited.n for cited in answer.citations} == set(range(1, len(answer.citations) + 1))


@pytest.mark.parametrize(
    "question", ["How tall is Mount Everest?", "blorf snizzle wug", "What is the capital of France?", "???", "why"]
)
def test_what_the_sources_do_not_say_is_not_answered(question: str) -> None:
    answer = ask(question, passage("a", LEASES), passage("b", LOGS), *NOISE)
    assert not answer.answered
    assert answer.text == NOT_FOUND
    assert answer.citations == ()
    assert 0 < len(answer.nearest) <= 3


def test_nothing_at_all_answers_nothing() -> None:
    answer = ask("How often is a lease renewed?")
    assert (answer.answered, answer.nearest) == (False, ())


def test_code_answers_with_what_it_says_of_itself() -> None:
    answer = ask("where are header lines split at the colon?", passage("http.py", HEADERS, kind=Kind.CODE), *NOISE)
    assert answer.sentences[0].text == "Split a header line at its first colon."
    assert answer.citations[0].quote.text.startswith('"""Split')


def test_what_is_said_twice_is_shown_once() -> None:
    copies = [passage(name, LEASES) for name in "abc"]
    answer = ask("How often does the worker renew its lease?", *copies)
    assert len({sentence.text for sentence in answer.sentences}) == len(answer.sentences)
    assert len(answer.sentences) <= 2


def test_sentences_of_one_source_stay_together_in_their_order() -> None:
    text = "The broker keeps a lease in memory. Weather was fine. The broker renews a lease in the morning."
    answer = ask("the broker lease", passage("a", text), passage("b", "A broker without a lease stops."))
    places = [(cited.quote.passage.title, cited.quote.start) for cited in answer.citations]
    assert places == sorted(places, key=lambda place: (place[0] != places[0][0], place[1]))


def test_an_answer_is_no_longer_than_asked() -> None:
    notes = [passage(f"n{n}", f"The lease of worker {n} is renewed by broker {n * 7}.") for n in range(9)]
    assert len(ask("lease of the worker renewed by a broker", *notes, limit=2).sentences) <= 2


def test_a_language_that_the_model_does_not_know_goes_by_its_words() -> None:
    text = "Аренда длится тридцать секунд. Рабочий процесс продлевает аренду каждые десять секунд."
    answer = ask("Как часто продлевается аренда рабочего процесса?", passage("a", text), *NOISE)
    assert answer.sentences[0].text == "Рабочий процесс продлевает аренду каждые десять секунд."
    assert not ask("Сколько лет живёт слон?", passage("a", text), *NOISE).answered


def test_an_embedder_that_is_down_leaves_the_words() -> None:
    class Down(English):
        async def embed_query(self, text: str) -> "Codes":
            raise RetryableError("busy")

    found = [passage("a", LEASES)]
    question = Question("How often does the worker renew its lease?", found, Meanings(Down(64)))
    (draft, *_) = extract(asyncio.run(judged(question, found)), 3)
    assert draft.text == "The worker renews its lease every ten seconds while it runs."


def test_a_short_text_is_embedded_once() -> None:
    embedder = HashEmbedder()
    meanings = Meanings(embedder)

    async def twice() -> None:
        await meanings.nearness("a question", ["one", "two"])
        await meanings.nearness("another", ["two", "one"])

    asyncio.run(twice())
    assert len(embedder.embedded) == len(set(embedder.embedded))


def test_words_are_worth_more_where_they_are_rare() -> None:
    weights = rarities(["lease", "worker"], [["lease", "worker"], ["worker"], ["worker"]])
    assert weights["lease"] > weights["worker"] > 0
    assert coverage(weights, ["lease", "worker"]) == pytest.approx(1)
    assert coverage(weights, ["worker"], around=["lease"]) < 1
    assert coverage({}, ["x"]) == 0


def test_function_words_carry_no_question() -> None:
    assert content_terms("Where is the parseHTTPHeader of it?") == ["parsehttpheader", "pars", "http", "header"]
    assert content_terms("Что это такое и где находится аренда?") == ["аренд"]
    assert list(content_words("where is parseHTTPHeader tested?").values()) == ["parseHTTPHeader", "tested"]


def test_sentences_are_alike_whatever_their_case_and_marks() -> None:
    assert alike("The worker renews its lease.", "the Worker renews its LEASE")
    assert not alike("The worker renews its lease.", "Log groups keep lines for two weeks.")


QUESTIONS = {
    "How long is a webhook delivery remembered?": True,
    "What happens to local data after a crash?": True,
    "How is a message with the dead-letter queue sent back?": True,
    "How do I deploy to AWS?": True,
    "Which exit code means that credentials are missing?": True,
    "How do I bake sourdough bread?": False,
    "Who won the world cup in 2018?": False,
    "How do I configure Kafka consumer groups?": False,
    "asdf qwer zxcv": False,
}


def test_the_gate_with_the_real_model_on_this_projects_own_documents(meanings: Meanings) -> None:
    root = Path(__file__).parents[3]
    found = []
    for path in (root / "docs" / "operations.md", root / "docs" / "cli.md"):
        for part in chunk(path.read_text(), path=path.name):
            name = f"{path.name}{part.ordinal}"
            found.append(passage(name, part.text, context=" > ".join(part.context)))

    async def answered(question: str) -> bool:
        asked = Question(question, found, meanings)
        near = sorted(found, key=lambda one: -coverage(asked.weights, one.bag))[:10]
        return bool(extract(await judged(Question(question, near, meanings), near), 3))

    for question, expected in QUESTIONS.items():
        assert asyncio.run(answered(question)) == expected, question
