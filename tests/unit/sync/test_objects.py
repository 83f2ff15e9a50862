"""Packs as they come in: completed, checked, refused, merged."""

import hashlib
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.sync import objects as module
from projects.sync.commits import CommitGraph, parse_commit
from projects.sync.failures import SyncFailed
from projects.sync.objects import Objects


def pack_of(*entries: tuple[int, int, bytes]) -> bytes:
    """Return a pack of (type, size that it claims, compressed bytes)."""
    body = b"PACK" + (2).to_bytes(4, "big") + len(entries).to_bytes(4, "big")
    for kind, size, data in entries:
        byte, size = kind << 4 | size & 15, size >> 4
        header = []
        while size:
            header.append(byte | 128)
            byte, size = size & 127, size >> 7
        body += bytes([*header, byte]) + data
    return body + hashlib.sha1(body).digest()  # noqa: S324 - git's own checksum


def take(directory: Path, pack: bytes) -> str | None:
    objects = Objects(directory)
    incoming = objects.incoming(1 << 30)
    incoming.write(pack)
    try:
        return objects.take(incoming, [])
    finally:
        objects.close()


def test_a_sound_pack_is_taken_under_the_name_of_its_content(tmp_path: Path) -> None:
    pack = pack_of((3, 5, zlib.compress(b"hello")))
    name = take(tmp_path, pack)
    assert name == f"pack-{hashlib.sha256(pack).hexdigest()}"
    assert sorted(path.suffix for path in (tmp_path / "pack").iterdir()) == [".commits", ".idx", ".pack"]


@pytest.mark.parametrize(
    "pack",
    [
        b"not a pack",
        pack_of((3, 5, zlib.compress(b"hello")))[:-30],
        pack_of((3, 5, zlib.compress(b"hello")))[:-1] + b"x",
        pack_of((3, 4, zlib.compress(b"hello"))),
        pack_of((3, 6, zlib.compress(b"hello"))),
        pack_of((3, 5, b"no zlib stream here at all")),
        pack_of((5, 5, zlib.compress(b"hello"))),
        pack_of((7, 5, b"\1" * 20 + zlib.compress(b"\5\5\x05abcde"))),
    ],
    ids=["text", "cut", "checksum", "longer", "shorter", "noise", "type", "base"],
)
def test_a_damaged_pack_is_refused(tmp_path: Path, pack: bytes) -> None:
    with pytest.raises(SyncFailed) as failed:
        take(tmp_path, pack)
    assert failed.value.code == "corrupt_pack"
    assert list((tmp_path / "pack").glob("*.idx")) == []


def test_an_object_that_inflates_beyond_the_limit_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OBJECT_BYTES", 1000)
    with pytest.raises(SyncFailed) as failed:
        take(tmp_path, pack_of((3, 5000, zlib.compress(b"0" * 5000))))
    assert failed.value.code == "too_large"


def test_a_delta_that_grows_beyond_the_limit_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OBJECT_BYTES", 1000)
    delta = b"\x05" + bytes([0x80 | 0x7F, 0x7F]) + b"\x90\x05" * 100
    with pytest.raises(SyncFailed) as failed:
        take(tmp_path, pack_of((7, len(delta), b"\1" * 20 + zlib.compress(delta))))
    assert failed.value.code == "too_large"


def test_merged_packs_hold_what_the_small_ones_held(tmp_path: Path) -> None:
    from infra.local.git_server import GitServer
    from projects.sync.remote import Remote as Conversation
    from projects.sync.remote import Selection
    from projects.sync.transport import GuardedClient, Limits
    from tests.support.remotes import Remote

    objects = Objects(tmp_path / "objects")
    with GitServer(tmp_path) as server:
        remote = Remote(server.create("many"))
        long = b"".join(b"line %d\n" % n for n in range(500))
        heads: list[str] = []
        for number in range(6):
            heads.append(remote.commit({b"a.txt": long + b"%d\n" % number, b"b/%d" % number: b"x\n"}))
            incoming = objects.incoming(1 << 20)
            git = GuardedClient(server.url("many"), Limits(1 << 20, 20), allow_private=True)
            Conversation(git).fetch(Selection(), heads[:-1], objects.graph.parents, objects.has_commit, incoming.write)
            assert objects.take(incoming, [heads[-1]]) is not None
    names = objects.names()
    assert len(names) == 6
    merged = objects.merge(names)
    objects.drop(name for name in names if name != merged)
    assert objects.names() == [merged]
    assert all(objects.has_commit(head) for head in heads)
    trees = [objects.tree(objects.commit(head.encode()).tree) for head in heads]
    assert [objects.blob(blob)[-2:-1] for tree in trees for name, _, blob in tree if name == b"a.txt"] == [
        b"%d" % number for number in range(6)
    ]
    objects.close()
    pack = tmp_path / "objects" / "pack" / f"{merged}.pack"
    subprocess.run(["git", "verify-pack", pack], check=True, capture_output=True)
    again = Objects(tmp_path / "objects")
    assert again.graph.reachable([heads[-1]]) == {head.encode() for head in heads}
    again.close()


def test_a_commit_is_read_leniently() -> None:
    raw = b"tree " + b"a" * 40 + b"\nparent " + b"b" * 40 + b"\nauthor A U Thor <a@example.com> 1700000000 +0100\n"
    raw += b"committer nobody\nencoding latin-1\n\n\n Gr\xfc\xdfe \nmore"
    commit = parse_commit(raw)
    assert commit.parents == (b"b" * 40,)
    assert commit.author == "A U Thor <a@example.com>"
    assert (commit.authored_at, commit.committed_at) == (1_700_000_000, 0)
    assert commit.subject == "Grüße"


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_commit_it_is_read_or_refused(noise: bytes) -> None:
    commit = parse_commit(b"tree " + b"a" * 40 + b"\n" + noise)
    assert isinstance(commit.message, str)
    with pytest.raises(ValueError, match="without a tree"):
        parse_commit(b"parent x\n\n" + noise)


shas = st.binary(min_size=20, max_size=20).map(lambda sha: sha.hex().encode())


@given(st.dictionaries(shas, st.tuples(st.lists(shas, max_size=3), st.integers(-(2**40), 2**40)), max_size=8))
def test_a_graph_comes_back_as_it_was_written(commits: dict[bytes, tuple[list[bytes], int]]) -> None:
    graph, again = CommitGraph(), CommitGraph()
    for commit, (parents, at) in commits.items():
        graph.add(commit, tuple(parents), at)
    again.load(graph.dump())
    assert again == graph
    assert again.newest_first(commits) == graph.newest_first(commits)
