"""Conversations with a git host: which branches it has, and the pack of what is missing here. Blocking: for threads."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import ObjectID
from dulwich.refs import Ref

from almanac.index.history import MAX_COMMITS
from projects.sync import failures
from projects.sync.transport import GuardedClient

MAX_BRANCHES = MAX_COMMITS
_SHA1_DIGITS = 40
_HEADS = b"refs/heads/"
_PREFIXES = [b"HEAD", _HEADS]


@dataclass(frozen=True)
class Selection:
    """Which branches are synced: one by name, several by pattern (fnmatch), or the remote's default."""

    branch: str | None = None
    pattern: str | None = None

    @property
    def words(self) -> str:
        return self.branch or self.pattern or "the default branch"


@dataclass(frozen=True)
class Advertised:
    """The branches of a remote, and the name of its default one."""

    branches: dict[str, str]
    default: str | None

    def choose(self, selection: Selection) -> "Target":
        """Return the selected heads. Of more than `MAX_BRANCHES`, the first by name (the default one included)."""
        if selection.branch is not None:
            names = [selection.branch] if selection.branch in self.branches else []
        elif selection.pattern is not None:
            names = sorted(name for name in self.branches if fnmatchcase(name, selection.pattern))
        else:
            names = [self.default] if self.default in self.branches else []
        if len(names) > MAX_BRANCHES:
            names = sorted(names, key=lambda name: (name != self.default, name))[:MAX_BRANCHES]
        main = self.default if self.default in names else min(names, default=None)
        heads = {name: self.branches[name] for name in sorted(name for name in names if name is not None)}
        missing = None
        if not heads and self.branches:
            missing = failures.branch_not_found(selection.words, sorted(self.branches))
        return Target(heads, main, missing)


@dataclass(frozen=True)
class Target:
    """What a run brings the index to. `main` is the branch that hits are cited at; `missing` says why there is none."""

    heads: dict[str, str]
    main: str | None
    missing: failures.SyncFailed | None = None


class Remote:
    """One repository on a git host."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    def advertised(self) -> Advertised:
        """Ask for the branches; raises `SyncFailed`."""
        with self._causes():
            answer = self._client.get_refs("", ref_prefix=_PREFIXES)
            return _advertised(answer.refs, answer.symrefs)

    def fetch(
        self,
        selection: Selection,
        haves: Iterable[str],
        parents: Callable[[bytes], list[bytes]],
        has: Callable[[str], bool],
        write: Callable[[bytes], int],
    ) -> Target:
        """Write a pack (possibly thin) of what the selected branches have and we have not; returns the target.

        The selection is made again from the refs of this very conversation, so that what is wanted is what is offered.
        Nothing is written when `has` knows all heads. Raises `SyncFailed`.
        """

        def wants(refs: Mapping[Ref, ObjectID | None], depth: int | None = None) -> list[ObjectID]:
            del depth
            # The name of the default branch is not told before the pack, so its commit is wanted as HEAD.
            chosen = set(_advertised(refs, {}).choose(selection).heads.values())
            return [ObjectID(commit.encode()) for commit in sorted(chosen) if not has(commit)]

        def parents_of(commit: ObjectID) -> list[ObjectID]:
            return [ObjectID(parent) for parent in parents(commit)]

        walker = ObjectStoreGraphWalker([ObjectID(commit.encode()) for commit in haves], parents_of)
        with self._causes():
            answer = self._client.fetch_pack("", wants, walker, write, ref_prefix=_PREFIXES)
            return _advertised(answer.refs, answer.symrefs).choose(selection)

    def _causes(self) -> "_Causes":
        return _Causes(self._client)


class _Causes:
    """Holds a conversation to its time and turns dulwich's errors into causes."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client
        self._conversation = client.conversation()

    def __enter__(self) -> None:
        self._conversation.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._conversation.__exit__(None, None, None)
        if error is None or isinstance(error, failures.SyncFailed) or not isinstance(error, Exception):
            return
        if self._client.expired:
            raise failures.timed_out(self._client.host) from error
        if isinstance(error, NotGitRepository):
            raise failures.not_a_repository(self._client.url) from error
        if isinstance(error, GitProtocolError | HangupException | AssertionError | ValueError | IndexError):
            raise failures.protocol_error(self._client.host) from error


def _advertised(refs: Mapping[Ref, ObjectID | None], symrefs: Mapping[Ref, Ref]) -> Advertised:
    if any(tip is not None and len(tip) != _SHA1_DIGITS for tip in refs.values()):
        raise failures.unsupported_objects()
    branches: dict[str, str] = {}
    for name, tip in refs.items():
        if name.startswith(_HEADS) and tip is not None:
            branches[_text(name[len(_HEADS) :])] = tip.decode("ascii")
    head = refs.get(Ref(b"HEAD"))
    link = symrefs.get(Ref(b"HEAD"))
    if link is not None and link.startswith(_HEADS):
        return Advertised(branches, _text(link[len(_HEADS) :]))
    if head is None:
        return Advertised(branches, None)
    # Detached, or an old server that does not say what HEAD stands for: the branch with its commit, or HEAD itself.
    commit = head.decode("ascii")
    same = sorted((name not in {"main", "master"}, name) for name, other in branches.items() if other == commit)
    if same:
        return Advertised(branches, same[0][1])
    return Advertised({**branches, "HEAD": commit}, "HEAD")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
