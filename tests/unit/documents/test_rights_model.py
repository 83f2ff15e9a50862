"""Whoever uploads, moves, hides and deletes, and whichever worker dies: at every moment each member lists and counts
exactly what a trivial model says that it sees, and finds nothing else; in the end it finds all of it.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, initialize, invariant, multiple, rule

from almanac.access import Permission, Principal
from almanac.aws import keys
from almanac.aws.table import Put
from almanac.dependencies import Dependencies
from almanac.ids import new_id
from almanac.visible import Right, Sight, Visibility
from documents.collections.service import CollectionService
from documents.deletion.service import DeletionService
from documents.diff.service import DiffService
from documents.errors import DocumentNotFound, DuplicateDocument
from documents.jobs.service import DocumentNotProcessing, DocumentProcessing, JobService
from documents.listing.reading import Listing, Wanted
from documents.model import Document, DocumentState
from documents.rights import Rights
from documents.services.documents import DocumentService
from documents.services.uploads import Described, UploadService
from tests.support.plain_files import file_of, pages, visible
from tests.unit.jobs.trouble import Trouble

_words = count(1)
_MAY = frozenset({Permission.CONTENT_READ, Permission.CONTENT_WRITE})
_READ = {DocumentState.READY, DocumentState.PARTIAL}
_ENDED = {*_READ, DocumentState.FAILED, DocumentState.CANCELLED, DocumentState.EXPIRED}
TENANT_WIDE = ""
SIZES = st.integers(1, 5)


@dataclass
class Kept:
    """What the model knows of a document: where it is, its title, what each file said that was taken in, and which of
    them search answered from at some moment.
    """

    place: str
    title: str
    files: dict[int, list[str]] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)


class Members(Trouble):
    """Ada owns two collections; Bob is let in and taken out. Both use the services as the routes do."""

    documents = Bundle("documents")

    def __init__(self) -> None:
        super().__init__()
        self.stores = Dependencies(self.world.table, self.world.blobs)
        self.ada, self.bob = self._member(), self._member()
        collections = CollectionService(self.world.table, self.ada)
        common = {"description": "", "project_id": ""}
        self.board, self.staff = (
            self.world.run(collections.create({"name": name, "visibility": shown, **common}, None, "")).id
            for name, shown in (("Board", Visibility.PRIVATE), ("Staff", Visibility.TENANT))
        )
        self.closed = {self.board: {self.ada.actor_id}}
        self.model: dict[str, Kept] = {}

    def _member(self) -> Principal:
        principal = Principal(self.world.tenant, new_id("usr"), _MAY)
        item = {**keys.member(self.world.tenant, principal.actor_id).as_dict(), "entity": "member", "role": "member"}
        self.world.run(self.world.table.write(Put(item)))
        return principal

    @initialize(target=documents, where=st.lists(st.integers(0, 2), min_size=3, max_size=3))
    def begin_with_some(self, where: list[int]) -> Any:
        found = [self._upload(2, place) for place in where]
        self.come_to_rest()
        return multiple(*found)

    @rule(target=documents, size=SIZES, where=st.integers(0, 2), kind=st.sampled_from(["", "%sections"]))
    def upload(self, size: int, where: int, kind: str) -> str:
        return self._upload(size, where, kind)

    @rule(document_id=documents, where=st.integers(0, 2))
    def upload_the_same_bytes_again(self, document_id: str, where: int) -> None:
        body = self.world.store.objects[keys.document_original(self.world.tenant, document_id, 1)]
        texts, place = self.model[document_id].files[1], self._place(where)
        service = UploadService(self.stores, self.ada)
        begun = self.world.run(service.bring(Described(collection_id=place), "plan.pdf", "text/plain", body, None))
        if begun.duplicate:
            same = self.model[begun.document.id]
            assert (same.place, same.files[begun.document.version]) == (place, texts)
        else:
            self.model[begun.document.id] = Kept(place, "plan.pdf", {1: texts})

    @rule(document_id=documents, size=SIZES, kind=st.sampled_from(["", "%sections", "%broken corrupt"]))
    def upload_a_version(self, document_id: str, size: int, kind: str) -> None:
        texts = pages(size, f"word{next(_words)}")
        service = UploadService(self.stores, self.ada)
        begun = self.world.run(service.bring_version(document_id, "plan.pdf", "text/plain", file_of(texts, kind)))
        self.model[document_id].files[begun.document.version] = texts

    @rule(document_id=documents, where=st.integers(0, 2))
    def move(self, document_id: str, where: int) -> None:
        service, place = DocumentService(self.stores, self.ada), self._place(where)
        edits = self._document(document_id).edits
        try:
            self.world.run(service.update(document_id, edits, {"collection_id": place or None}))
        except DuplicateDocument:
            return
        self.model[document_id].place = place

    @rule(document_id=documents, title=st.sampled_from(["Plan", "Scope"]))
    def rename(self, document_id: str, title: str) -> None:
        edits = self._document(document_id).edits
        self.world.run(DocumentService(self.stores, self.ada).update(document_id, edits, {"title": title}))
        self.model[document_id].title = title

    @rule(document_id=documents)
    def cancel(self, document_id: str) -> None:
        with suppress(DocumentNotProcessing):
            self.world.run(self._jobs().cancel(document_id))

    @rule(document_id=documents, rested=st.booleans())
    def read_again(self, document_id: str, rested: bool) -> None:
        if rested:
            self.come_to_rest()
        with suppress(DocumentProcessing):
            self.world.run(self._jobs().reprocess(document_id, None, ocr=False))

    @rule(document_id=consumes(documents))
    def delete(self, document_id: str) -> None:
        self.world.run(DeletionService(self.world.table, self.ada).delete(document_id))
        del self.model[document_id]

    @rule(private=st.booleans())
    def change_who_sees_the_staff(self, private: bool) -> None:
        service = CollectionService(self.world.table, self.ada)
        version = self.world.run(service.get(self.staff)).version
        shown = Visibility.PRIVATE if private else Visibility.TENANT
        self.world.run(service.update(self.staff, version, {"visibility": shown}))
        if not private:
            self.closed.pop(self.staff, None)
        else:
            self.closed.setdefault(self.staff, {self.ada.actor_id})

    @rule(inside=st.booleans(), staff=st.booleans())
    def let_in_or_take_out(self, inside: bool, staff: bool) -> None:
        service, collection = CollectionService(self.world.table, self.ada), self.staff if staff else self.board
        members = self.closed.get(collection)
        if members is None or (self.bob.actor_id in members) == inside:
            return
        if inside:
            self.world.run(service.put_member(collection, self.bob.actor_id, Right.READ))
            members.add(self.bob.actor_id)
        else:
            self.world.run(service.remove_member(collection, self.bob.actor_id))
            members.discard(self.bob.actor_id)

    @rule()
    def come_to_rest(self) -> None:
        self.world.settle()

    @invariant()
    def a_version_that_search_answered_from_stays_one_that_was_read(self) -> None:
        for name, kept in self.model.items():
            kept.shown |= {self._document(name).shown_version} - {0}
            for version in kept.shown:
                found = self.world.run(self.world.documents.version(name, version))
                assert found is not None
                assert found.state in _READ

    @invariant()
    def each_member_is_shown_what_it_sees_and_nothing_else(self) -> None:
        for member in (self.ada, self.bob):
            seen = self._seen(member)
            listing = Listing(self.world.table, self.world.tenant, Rights(self.world.table, self.world.tenant, member))
            listed = self.world.run(listing.page(Wanted(), 100, None)).documents
            assert {each.id: each.title for each in listed} == {name: self.model[name].title for name in seen}
            counts = self.world.run(listing.counts())
            assert (counts.total, counts.states) == (len(seen), Counter(each.state.value for each in listed))
            assert counts.collections == Counter(self.model[name].place for name in seen if self.model[name].place)
            suggested = self.world.run(listing.suggest("pl"))
            assert {each.id for each in suggested if isinstance(each, Document)} <= seen
            for name, texts in self._searched(member).items():
                assert name in seen
                said = {text for file in self.model[name].files.values() for text in file}
                assert texts <= said

    def at_rest(self) -> None:
        """Look at what stands when all has come to rest."""
        self.each_member_is_shown_what_it_sees_and_nothing_else()
        assert self.world.run(self.world.manifest.read()).awaiting == {}
        searched = self._searched(self.ada)
        for name, kept in self.model.items():
            document = self._document(name)
            assert document.state in _ENDED
            assert searched.get(name, set()) == set(kept.files.get(document.shown_version, []))
            self._check_versions(document)
        for name in self.model.keys() - self._seen(self.bob):
            self._check_hidden(name)

    def _check_versions(self, document: Document) -> None:
        versions = {each.version: each for each in self.world.run(self.world.documents.versions(document.id))}
        assert all(each.state in _ENDED for each in versions.values())
        if document.state in _READ:
            assert document.shown_version == document.version
        diffs = DiffService(self.world.table, self.world.blobs, self.ada)
        read = [number for number, each in versions.items() if each.state in _READ]
        for before, after in pairwise(read):
            compared = self.world.run(diffs.compare(document.id, before, after))
            assert compared.passages

    def _check_hidden(self, document_id: str) -> None:
        diffs = DiffService(self.world.table, self.world.blobs, self.bob)
        documents, uploads = DocumentService(self.stores, self.bob), UploadService(self.stores, self.bob)
        for work in (
            documents.get(document_id),
            documents.versions(document_id),
            documents.download(document_id, None),
            diffs.compare(document_id, 1, 1),
            uploads.give_up(document_id),
        ):
            try:
                self.world.run(work)
            except DocumentNotFound:
                continue
            raise AssertionError("a hidden document was shown")

    def _jobs(self) -> JobService:
        return JobService(self.world.table, self.world.dependencies.secrets, self.ada)

    def _upload(self, size: int, where: int, kind: str = "") -> str:
        texts, place = pages(size, f"word{next(_words)}"), self._place(where)
        service = UploadService(self.stores, self.ada)
        described, body = Described(collection_id=place), file_of(texts, kind)
        begun = self.world.run(service.bring(described, "plan.pdf", "text/plain", body, None))
        assert not begun.duplicate
        identifier: str = begun.document.id
        self.model[identifier] = Kept(place, "plan.pdf", {1: texts})
        return identifier

    def _place(self, where: int) -> str:
        return (TENANT_WIDE, self.board, self.staff)[where]

    def _document(self, document_id: str) -> Document:
        return self.world.document(document_id)

    def _seen(self, member: Principal) -> set[str]:
        return {
            name
            for name, kept in self.model.items()
            if kept.place not in self.closed or member.actor_id in self.closed[kept.place]
        }

    def _searched(self, member: Principal) -> dict[str, set[str]]:
        """Return the pages of each document that a member finds."""
        hidden = self.world.run(Sight(self.world.table, member).hidden())
        found: dict[str, set[str]] = {}
        for info, text in self.world.run(visible(self.world.tenant, self.world.table, self.world.blobs)).values():
            if not hidden & {info.project_id, info.container_id}:
                found.setdefault(str(info.group_id), set()).add(text)
        return found


TestMembers = Members.TestCase
TestMembers.settings = settings(
    max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
