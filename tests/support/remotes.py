"""Bare repositories, written without a working tree."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

Files = Mapping[bytes, bytes | tuple[int, bytes]]
"""Path to content; `(mode, content)` for what is no plain file, `(0o160000, commit)` for a submodule."""


class Remote:
    """One bare repository."""

    def __init__(self, path: Path) -> None:
        self._repo = Repo(str(path))
        self._clock = 1_700_000_000

    def commit(
        self,
        files: Files,
        *,
        branch: str = "main",
        parents: list[str] | None = None,
        message: str | bytes = "Change",
        move: bool = True,
    ) -> str:
        """Write a commit with exactly these files; without `parents` it follows the branch. Returns its id."""
        self._clock += 60
        if parents is None:
            parents = [tip] if (tip := self.tip(branch)) else []
        commit = Commit()
        commit.tree = self._tree(files)
        commit.parents = [ObjectID(parent.encode()) for parent in parents]
        commit.author = commit.committer = b"Ada Lovelace <ada@example.com>"
        commit.author_time = commit.commit_time = self._clock
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = message.encode() if isinstance(message, str) else message
        self._repo.object_store.add_object(commit)
        if move:
            self.move(branch, commit.id.decode())
        return commit.id.decode()

    def tip(self, branch: str) -> str | None:
        try:
            return self._repo.refs[_ref(branch)].decode()
        except KeyError:
            return None

    def move(self, branch: str, commit: str) -> None:
        self._repo.refs[_ref(branch)] = ObjectID(commit.encode())

    def remove(self, branch: str) -> None:
        del self._repo.refs[_ref(branch)]

    def _tree(self, files: Files) -> ObjectID:
        tree, below = Tree(), dict[bytes, dict[bytes, Any]]()
        for path, content in files.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = content
                continue
            mode, data = content if isinstance(content, tuple) else (0o100644, content)
            if mode == 0o160000:
                tree.add(name, mode, ObjectID(data))
                continue
            blob = Blob.from_string(data)
            self._repo.object_store.add_object(blob)
            tree.add(name, mode, blob.id)
        for name, members in below.items():
            tree.add(name, stat.S_IFDIR, self._tree(members))
        self._repo.object_store.add_object(tree)
        return tree.id


def _ref(branch: str) -> Ref:
    return Ref(b"refs/heads/" + os.fsencode(branch))
