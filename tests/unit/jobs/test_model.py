"""Whatever is done to documents, and whoever dies: in the end searches and counts show what a trivial model says."""

from dataclasses import dataclass, field
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, invariant, rule

from almanac.access import Permission, Principal
from almanac.aws import keys
from almanac.aws.table import Put
from almanac.clock import now
from almanac.ids import new_id
from almanac.visible import Sight
from documents.deletion.beginning import begin
from documents.listing.reading import Listing
from documents.model import Collection, DocumentState
from documents.rights import Rights
from tests.support.plain_files import pages, visible
from tests.unit.jobs.trouble import Trouble

_words = count(1)
READER = "usr_reader"
SIZES = st.integers(1, 7)


@dataclass
class Expected:
    """What the model knows of a document: what is shown of it, and what will be if nobody interferes.

    `newest` is what its newest file says, None for nothing that can be read.
    """

    collection: str
    shown: list[str] = field(default_factory=list)
    newest: list[str] | None = None
    coming: list[str] | None = None

    def uploaded(self, texts: list[str] | None) -> None:
        self.newest = self.coming = texts


class Documents(Trouble):
    """Random users, deliveries in any order, deaths at any call, against a dictionary."""

    documents = Bundle("documents")

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Expected] = {}
        self.private: set[str] = set()
        self.collection = self._collection()

    def _collection(self) -> str:
        at = now()
        made = Collection(id=new_id("col"), name="Board", created_by="usr_1", created_at=at, updated_at=at)
        self.world.run(self.world.table.write(Put(made.to_item(self.world.tenant))))
        return made.id

    @rule(target=documents, size=SIZES, inside=st.booleans(), kind=st.sampled_from(["", "%sections"]))
    def upload(self, size: int, inside: bool, kind: str) -> str:
        texts = pages(size, f"word{next(_words)}")
        collection = self.collection if inside else ""
        place = {"collection_id": collection} if inside else {}
        document_id = self.world.upload(texts, kind=kind, **place)
        self.model[document_id] = Expected(collection)
        self.model[document_id].uploaded(texts)
        return document_id

    @rule(document_id=documents, size=SIZES)
    def upload_a_version(self, document_id: str, size: int) -> None:
        self._look(document_id)
        texts = pages(size, f"word{next(_words)}")
        self.world.upload(texts, document_id)
        self.model[document_id].uploaded(texts)

    @rule(document_id=documents)
    def upload_what_cannot_be_read(self, document_id: str) -> None:
        self._look(document_id)
        self.world.upload(["nothing"], document_id, kind="%broken corrupt")
        self.model[document_id].uploaded(None)

    @rule(document_id=documents)
    def read_again(self, document_id: str) -> None:
        self._look(document_id)
        if self.world.document(document_id).state is not DocumentState.PROCESSING:
            self.world.reprocess(document_id)
            self.model[document_id].coming = self.model[document_id].newest

    @rule(document_id=documents, title=st.sampled_from(["Plan", "Scope", "Minutes"]))
    def retitle(self, document_id: str, title: str) -> None:
        self.world.retitle(document_id, title)

    @rule(document_id=documents)
    def cancel(self, document_id: str) -> None:
        self._look(document_id)
        if self.world.cancel(document_id):
            self.model[document_id].coming = None

    @rule(document_id=consumes(documents))
    def delete(self, document_id: str) -> None:
        document = self.world.document(document_id)
        self.world.run(begin(self.world.documents, document, "usr_1", "test"))
        del self.model[document_id]

    @rule(private=st.booleans())
    def change_who_sees_the_collection(self, private: bool) -> None:
        key = keys.private_project(self.world.tenant, self.collection)
        if private:
            row = {"entity": "private_collection", "collection_id": self.collection, "epoch": "1"}
            self.world.run(self.world.table.write(Put({**key.as_dict(), **row}, overwrite=True)))
            self.private.add(self.collection)
        else:
            self.world.run(self.world.table.batch_delete([key]))
            self.private.discard(self.collection)

    def _look(self, document_id: str) -> None:
        """Note that a job has ended: what is done next comes after it."""
        document, expected = self.world.document(document_id), self.model[document_id]
        if document.state is DocumentState.READY and expected.coming is not None:
            expected.shown, expected.coming = expected.coming, None

    @invariant()
    def whoever_may_not_see_it_finds_nothing_of_it(self) -> None:
        hidden = self.world.run(self._sight().hidden())
        assert hidden == self.private

    def at_rest(self) -> None:
        for document_id in self.model:
            self._look(document_id)
            assert self.world.titles(document_id) <= {self.world.document(document_id).title}
        seen = {name: each for name, each in self.model.items() if each.collection not in self.private}
        for principal, expected in ((self._reader(), seen), (None, self.model)):
            shown = self._searchable(principal)
            assert shown == {name: each.shown for name, each in expected.items() if each.shown}
            listing = Listing(self.world.table, self.world.tenant, self._rights(principal))
            counts = self.world.run(listing.counts())
            assert counts.total == len(expected)
            ready = sum(1 for each in expected.values() if each.shown)
            assert counts.states[DocumentState.READY.value] <= ready
        assert self.world.run(self.world.manifest.read()).awaiting == {}

    def _searchable(self, principal: Principal | None) -> dict[str, list[str]]:
        """Return the pages of each document that somebody finds, in their order."""
        hidden = self.world.run(Sight(self.world.table, principal).hidden())
        found: dict[str, dict[str, str]] = {}
        sources = self.world.run(visible(self.world.tenant, self.world.table, self.world.blobs))
        for name, (info, text) in sources.items():
            if not hidden & {info.project_id, info.container_id}:
                found.setdefault(str(info.group_id), {})[name] = text
        return {name: [texts[each] for each in sorted(texts)] for name, texts in found.items()}

    def _sight(self) -> Sight:
        return Sight(self.world.table, self._reader())

    def _rights(self, principal: Principal | None) -> Rights:
        return Rights(self.world.table, self.world.tenant, principal)

    def _reader(self) -> Principal:
        return Principal(self.world.tenant, READER, frozenset({Permission.CONTENT_READ}))


TestDocuments = Documents.TestCase
TestDocuments.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
