"""Sources and their rows in memory, and which of them are visible.

A row is visible if and only if its version is the newest known for its source, that newest is no tombstone, and neither
its project nor its container is dropped. Where two segments hold the same version of a source, the segment with the
smaller name wins. Nothing here depends on the order or the repetition of what is added.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from almanac.index.columns import Column, Names
from almanac.index.filters import Filters, compile_glob, microseconds
from almanac.index.segments import Segment
from almanac.index.sources import Kind, SourceInfo, SourceRef

_KINDS = {kind: number for number, kind in enumerate(Kind)}
_NO_TIME = np.iinfo(np.int64).min
_NOBODY = -1
_GLOBS_KEPT = 32
CONTEXT_JOINT = " > "


class Texts:
    """Many strings as a few byte strings."""

    def __init__(self) -> None:
        self._groups: list[bytes] = []
        self._group = Column(np.int32)
        self._ends = Column(np.uint32)
        self._starts = Column(np.uint32)
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        return self._bytes + self._group.nbytes + self._ends.nbytes + self._starts.nbytes

    def add(self, texts: Iterable[str]) -> None:
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        self._group.extend(np.full(len(encoded), len(self._groups)))
        self._starts.extend(ends - [len(text) for text in encoded])
        self._ends.extend(ends)
        self._groups.append(b"".join(encoded))
        self._bytes += len(self._groups[-1])

    def __getitem__(self, place: int) -> str:
        group: bytes = self._groups[int(self._group.array[place])]
        text = group[self._starts.array[place] : self._ends.array[place]]
        return text.decode()


class Store:
    """The sources and rows of one index. A *document* is one version of a source as one segment holds it."""

    def __init__(self) -> None:
        self._sources = Names()
        self._newest = Column(np.int64)
        self._hidden = Column(np.bool_)
        self._winner = Column(np.int32)

        self._owners = Names()
        self._paths = Names()
        self._languages = Names()
        self._authors = Names()
        self._document_source = Column(np.int32)
        self._document_segment: list[str] = []
        self._project = Column(np.int32)
        self._container = Column(np.int32)
        self._kind = Column(np.uint8)
        self._path = Column(np.int32)
        self._language = Column(np.int32)
        self._author = Column(np.int32)
        self._time = Column(np.int64)
        self._infos = Texts()

        self._row_document = Column(np.int32)
        self._row_place = Column(np.int32, 3)
        self._texts = Texts()
        self._contexts = Texts()

        self._dropped: set[str] = set()
        self._visible: NDArray[np.bool_] | None = None
        self._globs: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self._row_document)

    @property
    def nbytes(self) -> int:
        columns = [value for value in vars(self).values() if isinstance(value, Column | Names | Texts)]
        return sum(column.nbytes for column in columns)

    def hide(self, refs: Iterable[SourceRef]) -> None:
        """Take note of tombstones."""
        for ref in refs:
            source = self._source(ref.source_id)
            newest = self._newest.array[source]
            if ref.version >= newest:
                self._newest.array[source] = ref.version
                self._hidden.array[source] = True
        self._visible = None

    def drop(self, owners: Iterable[str]) -> None:
        """Take note of dropped projects and containers."""
        self._dropped.update(owners)
        self._visible = None

    def add(self, name: str, segment: Segment) -> NDArray[np.int64]:
        """Add what a segment says; return the places of the rows that were taken, which come next in this store.

        What can never become visible is left out.
        """
        taken = [place for place, info in enumerate(segment.sources) if self._takes(name, info)]
        self.hide(segment.tombstones)
        documents = np.full(len(segment.sources), _NOBODY, np.int32)
        documents[taken] = np.arange(len(self._document_segment), len(self._document_segment) + len(taken))
        self._add_documents(name, [segment.sources[place] for place in taken], documents[taken])
        of_source = np.array([row.source for row in segment.rows], np.int64)
        rows = np.flatnonzero(documents[of_source] != _NOBODY) if len(of_source) else of_source
        chosen = [segment.rows[row] for row in rows]
        self._row_document.extend(documents[of_source[rows]])
        self._row_place.extend([(row.ordinal, row.start_line, row.end_line) for row in chosen])
        self._texts.add(row.text for row in chosen)
        self._contexts.add(CONTEXT_JOINT.join(row.context) for row in chosen)
        self._visible = None
        return rows

    def visible(self) -> NDArray[np.bool_]:
        """Return for each row whether it may be found and counted."""
        if self._visible is None:
            sources = self._document_source.array
            current = self._winner.array[sources] == np.arange(len(sources))
            gone = [self._owners.find(owner) for owner in self._dropped]
            kept = ~np.isin(self._project.array, gone) & ~np.isin(self._container.array, gone)
            self._visible = (current & ~self._hidden.array[sources] & kept)[self._row_document.array]
        return self._visible

    def matching(self, filters: Filters) -> NDArray[np.bool_] | None:
        """Return for each row whether it passes the filters; None when there are none."""
        tests: list[NDArray[np.bool_]] = []
        if filters.projects:
            tests.append(np.isin(self._project.array, [self._owners.find(project) for project in filters.projects]))
        if filters.kinds:
            tests.append(np.isin(self._kind.array, [_KINDS[kind] for kind in filters.kinds]))
        if filters.languages:
            wanted = {language.casefold() for language in filters.languages}
            tests.append(_choose(self._languages, self._language, lambda name: name in wanted))
        if filters.author is not None:
            part = filters.author.casefold()
            tests.append(_choose(self._authors, self._author, lambda name: part in name))
        if filters.path is not None:
            tests.append(self._matching_paths(filters.path))
        if filters.since is not None:
            tests.append(self._time.array >= microseconds(filters.since))
        if filters.until is not None:
            tests.append((self._time.array < microseconds(filters.until)) & (self._time.array != _NO_TIME))
        return np.logical_and.reduce(tests)[self._row_document.array] if tests else None

    def document(self, row: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the rows' documents; of the visible rows, each source has one."""
        documents: NDArray[np.int32] = self._row_document.array[row]
        return documents

    def ordinal(self, row: NDArray[np.int64]) -> NDArray[np.int32]:
        ordinals: NDArray[np.int32] = self._row_place.array[row, 0]
        return ordinals

    def source_id(self, document: int) -> str:
        return self._sources.texts[int(self._document_source.array[document])]

    def info(self, document: int) -> SourceInfo:
        return SourceInfo.model_validate_json(self._infos[document])

    def lines(self, row: int) -> tuple[int, int]:
        _, start, end = self._row_place.array[row].tolist()
        return start, end

    def text(self, row: int) -> str:
        return self._texts[row]

    def context(self, row: int) -> str:
        return self._contexts[row]

    def _source(self, source_id: str) -> int:
        source = self._sources.add(source_id)
        if source == len(self._newest):
            self._newest.append(0)
            self._hidden.append(False)
            self._winner.append(_NOBODY)
        return source

    def _takes(self, name: str, info: SourceInfo) -> bool:
        """Tell whether a document may win its source, as far as is known; take note of its version."""
        source = self._source(info.source_id)
        newest = int(self._newest.array[source])
        if info.version > newest:
            self._newest.array[source] = info.version
            self._hidden.array[source] = False
            self._winner.array[source] = _NOBODY
        elif info.version < newest or self._hidden.array[source]:
            return False
        winner = int(self._winner.array[source])
        won = winner != _NOBODY and self._document_segment[winner] < name
        return not won and info.project_id not in self._dropped and info.container_id not in self._dropped

    def _add_documents(self, name: str, infos: Sequence[SourceInfo], documents: NDArray[np.int32]) -> None:
        sources = [self._source(info.source_id) for info in infos]
        self._document_source.extend(sources)
        self._document_segment += [name] * len(infos)
        self._winner.array[sources] = documents
        self._project.extend([self._owners.add(info.project_id) for info in infos])
        self._container.extend([self._owners.add(info.container_id) for info in infos])
        self._kind.extend([_KINDS[info.kind] for info in infos])
        self._path.extend([self._paths.add(info.path) for info in infos])
        self._language.extend([self._languages.add(_fold(info.language)) for info in infos])
        self._author.extend([self._authors.add(_fold(info.author)) for info in infos])
        self._time.extend([microseconds(info.occurred_at) if info.occurred_at else _NO_TIME for info in infos])
        self._infos.add(info.model_dump_json(exclude_none=True) for info in infos)

    def _matching_paths(self, glob: str) -> NDArray[np.bool_]:
        known = self._globs.pop(glob, np.empty(0, np.bool_))
        matches = compile_glob(glob).fullmatch
        new = [matches(path) is not None for path in self._paths.texts[len(known) :]]
        known = np.concatenate([known, np.array(new, np.bool_)])
        self._globs[glob] = known
        while len(self._globs) > _GLOBS_KEPT:
            del self._globs[next(iter(self._globs))]
        return _at(known, self._path)


def _choose(names: Names, column: Column, test: Callable[[str], bool]) -> NDArray[np.bool_]:
    return _at(np.array([test(name) for name in names.texts], np.bool_), column)


def _at(chosen: NDArray[np.bool_], column: Column) -> NDArray[np.bool_]:
    """Return whether each document's name is chosen; the place after the last stands for having none."""
    answer: NDArray[np.bool_] = np.append(chosen, False)[column.array]
    return answer


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()
