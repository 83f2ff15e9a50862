"""Files and commits as sources of the index."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from almanac.index.sources import Citation, Kind, Source
from almanac.text.languages import Skip, decode, language_of, skip_reason
from projects.sync.commits import Commit
from projects.sync.plan import Branches, Entry, Heads, code_source_id, commit_source_id, shown_path

MAX_NAMED_FILES = 200
_MAX_TITLE = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Origin:
    """Where a run's sources come from: `version` is the run, `main` the branch that is cited when it holds a file."""

    project_id: str
    repository_id: str
    repository: str
    version: int
    heads: Heads
    main: str | None


def skipped_because(entry: Entry, content: bytes) -> Skip | None:
    """Return why a file is left out of the index, or None."""
    return skip_reason(shown_path(entry.path), content)


def code_source(origin: Origin, entry: Entry, branches: Branches, content: bytes) -> Source:
    """Return a text file as a source. It has no time of its own: code is true as of now, wherever it came from."""
    path = shown_path(entry.path)
    text, _ = decode(content)
    cited = origin.main if origin.main in branches else min(branches)
    return Source(
        source_id=code_source_id(origin.repository_id, entry),
        version=origin.version,
        kind=Kind.CODE,
        project_id=origin.project_id,
        container_id=origin.repository_id,
        title=path.rsplit("/", 1)[-1],
        text=text,
        path=path,
        language=language_of(path, text.partition("\n")[0][:200]),
        citation=Citation(
            repository_id=origin.repository_id,
            repository=origin.repository,
            commit=origin.heads[cited],
            branches=tuple(sorted(branches)),
            blob=entry.blob.decode(),
        ),
    )


def commit_source(origin: Origin, sha: bytes, commit: Commit, files: list[str]) -> Source:
    """Return a commit as a source: its message, then the files that it changed (at most `MAX_NAMED_FILES`)."""
    named = files[:MAX_NAMED_FILES]
    more = [f"and {len(files) - len(named)} more"] if len(files) > len(named) else []
    listing = "\n".join(["Files:", *named, *more]) if named else ""
    text = "\n\n".join(part for part in (commit.message.strip(), listing) if part)
    return Source(
        source_id=commit_source_id(origin.repository_id, sha),
        version=origin.version,
        kind=Kind.COMMIT,
        project_id=origin.project_id,
        container_id=origin.repository_id,
        title=commit.subject[:_MAX_TITLE] or sha.decode()[:10],
        text=text,
        author=commit.author or None,
        occurred_at=_moment(commit.authored_at),
        citation=Citation(
            repository_id=origin.repository_id, repository=origin.repository, commit=sha.decode(), branches=()
        ),
    )


def _moment(seconds: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
