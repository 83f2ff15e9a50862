"""Files of every sort: what is read, what is left out, and what is said of it."""

import pytest

from almanac.index.sources import Kind
from tests.integration.sync.support import Synced

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345\n"


def test_what_cannot_be_searched_is_skipped_and_counted(synced: Synced) -> None:
    synced.remote.commit(
        {
            b"a.txt": b"text\n",
            b"image.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
            b"huge.txt": b"word " * 250_000,
            b"model.bin": POINTER,
            b"link": (0o120000, b"a.txt"),
            b"vendor/lib": (0o160000, b"1" * 40),
            b"empty": b"",
        }
    )
    shown = synced.sync()
    assert synced.paths() == {"a.txt": "text"}
    assert shown["counts"]["files"] == 1
    assert shown["counts"]["skipped"] == {
        "binary": 1,
        "too_large": 1,
        "lfs_pointer": 1,
        "symlink": 1,
        "submodule": 1,
        "empty": 1,
    }
    assert shown["submodules"] == ["vendor/lib"]


def test_counts_follow_what_changes(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"text\n", b"b.bin": b"\0\1\2", b"sub": (0o160000, b"1" * 40)})
    synced.sync()
    synced.remote.commit({b"a.txt": b"\0binary now", b"c.txt": b"new\n", b"link": (0o120000, b"c.txt")})
    shown = synced.sync()
    assert shown["counts"]["files"] == 1
    assert shown["counts"]["skipped"] == {"binary": 1, "symlink": 1}
    assert shown["submodules"] == []
    assert synced.paths() == {"c.txt": "new"}


def test_a_file_that_becomes_a_symlink_with_the_same_bytes_disappears(synced: Synced) -> None:
    synced.remote.commit({b"a": b"target\n", b"b": b"x\n"})
    synced.sync()
    assert set(synced.paths()) == {"a", "b"}
    synced.remote.commit({b"a": (0o120000, b"target\n"), b"b": (0o100755, b"x\n")})
    synced.sync()
    assert set(synced.paths()) == {"b"}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("späße/naïve.txt".encode(), "späße/naïve.txt"),
        (b"caf\xe9.txt", "caf\\xe9.txt"),
        (b"\xff\xfe/\x80", "\\xff\\xfe/\\x80"),
        (b"new\nline.txt", "new\\nline.txt"),
        (b"-rf *;$(x).txt", "-rf *;$(x).txt"),
        (b"a" * 1000 + b".txt", "a" * 1000 + ".txt"),
    ],
)
def test_any_bytes_may_be_a_path(synced: Synced, path: bytes, shown: str) -> None:
    synced.remote.commit({path: b"words\n"})
    assert synced.sync()["state"] == "synced"
    assert synced.paths() == {shown: "words"}
    synced.remote.commit({b"other.txt": b"words\n"})
    synced.sync()
    assert set(synced.paths()) == {"other.txt"}


def test_paths_that_look_alike_are_kept_apart(synced: Synced) -> None:
    synced.remote.commit({b"caf\xe9.txt": b"same\n", b"caf\\xe9.txt": b"same\n"})
    synced.sync()
    assert [row[1] for row in synced.rows(Kind.CODE)] == ["caf\\xe9.txt", "caf\\xe9.txt"]


def test_text_that_is_not_utf8_is_read(synced: Synced) -> None:
    message = b"Gr\xfc\xdfe an alle\n"
    synced.remote.commit(
        {b"a.txt": "Größe ist süß\n".encode("latin-1"), b"b.txt": "wide".encode("utf-16")}, message=message
    )
    synced.sync()
    assert synced.paths() == {"a.txt": "Größe ist süß", "b.txt": "wide"}
    assert synced.subjects() == {"Grüße an alle"}


def test_deeply_nested_directories_are_walked(synced: Synced) -> None:
    synced.remote.commit({b"/".join([b"d"] * 300) + b"/leaf.txt": b"deep\n"})
    synced.sync()
    assert list(synced.paths().values()) == ["deep"]
