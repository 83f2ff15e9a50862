"""What callers may see of analyses: of one document, and what they come to across a project's."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from almanac.access import Principal
from almanac.aws import keys
from almanac.dependencies import Dependencies
from almanac.embeddings.statements import Meanings, are_compared
from almanac.errors import NotFound
from documents.analysis.commitments import Commitment, CommitmentStatus, Told, derive
from documents.analysis.likeness import same_person
from documents.analysis.model import Analysis
from documents.analysis.store import AnalysisStore, Kept, Statements
from documents.errors import DocumentVersionNotFound, NothingUploaded
from documents.listing.reading import Listing, Wanted
from documents.model import Document
from documents.rights import Rights, may_read
from documents.store import DocumentStore

MOST_DOCUMENTS = 500
MOST_STATEMENTS = 6000
"""The newest so many documents of a project are compared, and with them so many statements."""
_PAGE = 100


class AnalysisNotFound(NotFound):
    """The version is not analysed: it is being read, could not be read, or its analysis did not succeed."""

    code = "analysis_not_found"

    def __init__(self) -> None:
        detail = "This version is not analysed (yet): wait until the document is ready, or reprocess it."
        super().__init__(detail)


@dataclass(frozen=True)
class Commitments:
    """Commitments, and of how many documents: those that were compared, and those without an analysis.

    Of those `compared`, all that are not `by_vectors` were compared by words alone. `is_complete`: there were not more
    documents, nor in one of them more statements, than are compared.
    """

    items: list[Commitment]
    compared: int
    not_analysed: int
    by_vectors: int
    is_complete: bool


class ReportService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._dependencies = dependencies
        self._tenant_id = principal.tenant_id
        self._documents = DocumentStore(dependencies.table, principal.tenant_id)
        self._analyses = AnalysisStore(dependencies.table, dependencies.blobs, principal.tenant_id)
        self._rights = Rights(dependencies.table, principal.tenant_id, principal)

    async def analysis(self, document_id: str, version: int | None) -> Analysis:
        """Return the analysis of a version; without one, of the shown one.

        Raises `DocumentNotFound`, `DocumentVersionNotFound`, `NothingUploaded` or `AnalysisNotFound`.
        """
        document = await self._rights.read(document_id)
        wanted = version or document.shown_version or document.version
        if wanted == 0:
            raise NothingUploaded
        revision = document.shown_revision
        if wanted != document.shown_version:
            found = await self._documents.version(document_id, wanted)
            if found is None:
                raise DocumentVersionNotFound(field="query.version")
            revision = found.revision
        analysis = await self._analyses.get(document_id, revision) if revision else None
        # Rights may have gone while it was read.
        await self._rights.read(document_id)
        if analysis is None:
            raise AnalysisNotFound
        return analysis

    async def commitments(self, project_id: str, status: CommitmentStatus | None, who: str | None) -> Commitments:
        """Return what a project's documents promise, as the caller sees them; raises `ProjectNotFound`."""
        await self._rights.project(project_id, field="path.project_id")
        listing = Listing(self._dependencies.table, self._tenant_id, self._rights)
        told: list[Told] = []
        meanings: dict[str, Meanings] = {}
        seen, stated, after, is_complete = 0, 0, None, True
        while True:
            page = await listing.page(Wanted(project_id=project_id), _PAGE, after)
            found = await self._statements(page.documents)
            meanings |= await self._analyses.meanings([each.id for each in page.documents])
            shown = await self._still_shown(page.documents)
            for each in shown:
                if each.id in found:
                    statements, whole = found[each.id]
                    stated, is_complete = stated + statements.total, is_complete and whole
                    told.append(Told(each.id, each.title, each.shown_version, statements))
            seen, after = seen + len(shown), page.next_id
            if after is None or seen >= MOST_DOCUMENTS or stated >= MOST_STATEMENTS:
                break
        comparable = _comparable([meanings[each.document_id] for each in told if each.document_id in meanings])
        codes = {name: code for each in comparable for name, code in each.codes.items()}
        derived = await asyncio.to_thread(derive, told, codes)
        items = [each for each in derived if status in {None, each.status} and (who is None or _is_of(each, who))]
        return Commitments(items, len(told), seen - len(told), len(comparable), is_complete and after is None)

    async def _statements(self, documents: Sequence[Document]) -> dict[str, tuple[Statements, bool]]:
        """Return what the shown revisions of documents state, and whether that is all that they do."""
        kept = await self._analyses.kept([each.id for each in documents])
        current = {each.id: kept[each.id] for each in documents if _is_shown(kept.get(each.id), each)}
        found = await asyncio.to_thread(lambda: {name: (each.read(), each.complete) for name, each in current.items()})
        for document in documents:
            if document.id in kept and document.id not in found and document.shown_revision:
                # A later revision is analysed but not shown, or was given up.
                analysis = await self._analyses.get(document.id, document.shown_revision)
                if analysis is not None:
                    found[document.id] = Statements.of(analysis), True
        return found

    async def _still_shown(self, documents: Sequence[Document]) -> list[Document]:
        """Return those of some documents that the caller sees now that their statements were read."""
        places = [keys.document(self._tenant_id, each.id) for each in documents]
        items = {item["id"]: item for item in await self._dependencies.table.batch_get(places, consistent=True)}
        fresh = [Document.from_item(items[each.id]) for each in documents if each.id in items]
        gone = await self._rights.gone({owner for each in fresh for owner in each.owners})
        access = await self._rights.sight.access()
        shown = {each.id for each in fresh if may_read(each, access) and gone.isdisjoint(each.owners)}
        return [each for each in documents if each.id in shown]


def _is_shown(kept: Kept | None, document: Document) -> bool:
    return kept is not None and kept.revision == document.shown_revision


def _comparable(meanings: Sequence[Meanings]) -> list[Meanings]:
    """Return those whose vectors can be compared with each other: of the model that most of them are of."""
    embedded = [each for each in meanings if each.codes and are_compared(each.slug)]
    models = Counter(each.fingerprint for each in embedded)
    return [each for each in embedded if each.fingerprint == models.most_common(1)[0][0]]


def _is_of(commitment: Commitment, who: str) -> bool:
    """Tell whether a promise is somebody's: by the name it was given to, or was given to later."""
    named = [commitment.promised.who, *(each.statement.who for each in commitment.later)]
    return any(same_person(name, who) for name in named if name)
