"""Sources in memory: passages that a test writes, changes and takes away."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from almanac.embeddings.testing import HashEmbedder
from almanac.index.sources import Kind
from almanac.llm.base import LanguageModel
from almanac.text.tokenize import terms
from search.asking.extract import Meanings
from search.asking.passages import Passage, PassageKey, Retrieved
from search.asking.questions import content_terms
from search.asking.service import Answer, Asker

LEASES = "A lease lasts thirty seconds. The worker renews its lease every ten seconds while it runs."
LOGS = "Log groups keep lines for two weeks. Alarms look at the dead-letter queues."
HEADERS = '''def parse_header(line: bytes) -> Header:
    """Split a header line at its first colon.

    Raises `BadHeader` when there is none.
    """
    # Names of headers are not case sensitive.
    name, _, value = line.partition(b":")
    return Header(name.lower(), value.strip())
'''


def passage(name: str, text: str, *, version: int = 1, kind: Kind = Kind.MESSAGE, **changes: Any) -> Passage:
    language = "python" if kind is Kind.CODE else None
    given = Passage(f"{kind}:{name}", version, 0, kind, name, "", language, text)
    return replace(given, **changes)


@dataclass
class MemorySources:
    """Finds by common words. `meanwhile` changes the passages between the search and the second reading."""

    passages: list[Passage]
    meanwhile: Callable[[list[Passage]], None] = lambda _: None
    asked: list[str] = field(default_factory=list)

    async def find(self, question: str, limit: int) -> Retrieved:
        self.asked.append(question)
        wanted = set(content_terms(question))
        ranked = sorted(self.passages, key=lambda found: -len(wanted.intersection(terms(found.text))))
        return Retrieved(tuple(ranked[:limit]), "test:hash", "the index")

    async def again(self, passages: Sequence[Passage]) -> Mapping[PassageKey, Passage]:
        self.meanwhile(self.passages)
        now = {found.key: found for found in self.passages}
        return {given.key: now[given.key] for given in passages if given.key in now}


class English(HashEmbedder):
    """The double, as a model that knows English only."""

    languages = frozenset({"en"})  # type: ignore[assignment]


def asker(model: LanguageModel | None = None) -> Asker:
    meanings = Meanings(English(512))
    return Asker(lambda _: meanings, model)


def ask(question: str, *passages: Passage, model: LanguageModel | None = None, limit: int = 5, **more: Any) -> Answer:
    return asyncio.run(asker(model).ask(question, MemorySources(list(passages), **more), limit))
