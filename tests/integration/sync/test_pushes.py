"""What pushes do to the index."""

import pytest

from almanac.index.sources import Kind
from infra.local.git_server import GitServer
from search import wiring as search_wiring
from tests.integration.harness import Stack
from tests.integration.sync.support import Synced

README = b"# Hello\n\nThe quick brown fox.\n"
APP = b"print('the lazy dog')\n"


def embedded() -> list[str]:
    """Return every text that went through the model so far."""
    texts: list[str] = search_wiring.embedder().embedded  # type: ignore[attr-defined]
    return texts


def test_a_first_sync_makes_files_and_commits_visible(synced: Synced) -> None:
    head = synced.remote.commit({b"README.md": b"# Hello\n", b"src/app.py": b"print('hi')\n"}, message="Begin")
    shown = synced.sync()
    assert (shown["state"], shown["head"], shown["sync_requested"]) == ("synced", head, False)
    assert (shown["counts"]["files"], shown["counts"]["commits"]) == (2, 1)
    assert synced.paths() == {"README.md": "# Hello", "src/app.py": "print('hi')"}
    assert synced.subjects() == {"Begin"}


def test_a_commit_is_found_by_its_message_and_names_its_files(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"}, message="Begin")
    synced.remote.commit({b"a.txt": b"two\n", b"b/c.txt": b"x\n"}, message="Second\n\nBecause.")
    synced.sync()
    ((_, _, _, text),) = [row for row in synced.rows(Kind.COMMIT) if row[3].startswith("Second")]
    assert "Because." in text
    assert "a.txt" in text
    assert "b/c.txt" in text


def test_an_edit_replaces_the_file(synced: Synced) -> None:
    synced.remote.commit({b"README.md": README, b"app.py": APP})
    synced.sync()
    synced.remote.commit({b"README.md": README, b"app.py": b"print('new')\n"})
    shown = synced.sync()
    assert synced.paths()["app.py"] == "print('new')"
    assert shown["counts"]["files"] == 2


def test_a_rename_embeds_nothing_but_its_commit(synced: Synced) -> None:
    synced.remote.commit({b"README.md": README, b"app.py": APP})
    synced.sync()
    before = len(embedded())
    synced.remote.commit({b"docs/guide.md": README, b"app.py": APP}, message="Move the guide")
    synced.sync()
    assert set(synced.paths()) == {"docs/guide.md", "app.py"}
    new = embedded()[before:]
    assert [text for text in new if "Move the guide" not in text] == []


def test_an_unchanged_repository_costs_one_look(synced: Synced, host: GitServer) -> None:
    synced.remote.commit({b"README.md": README})
    synced.sync()
    texts, requests, run = len(embedded()), len(host.requests), synced.item()["run"]
    shown = synced.sync()
    assert shown["state"] == "synced"
    assert len(embedded()) == texts
    assert synced.item()["run"] == run
    assert not any("POST" in request and request.count("fetch") for request in host.requests[requests:])
    assert len(host.requests) - requests == 2


def test_deleted_files_and_directories_disappear(synced: Synced) -> None:
    synced.remote.commit({b"README.md": README, b"lib/a.py": APP, b"lib/deep/b.py": APP + b"#\n"})
    synced.sync()
    synced.remote.commit({b"README.md": README})
    shown = synced.sync()
    assert set(synced.paths()) == {"README.md"}
    assert shown["counts"]["files"] == 1


def test_a_force_push_hides_what_it_rewrote(synced: Synced) -> None:
    base = synced.remote.commit({b"a.txt": b"base\n"}, message="Base")
    synced.remote.commit({b"a.txt": b"secret\n"}, message="Oops")
    synced.sync()
    synced.remote.commit({b"a.txt": b"clean\n"}, message="Better", parents=[base])
    synced.sync()
    assert synced.paths() == {"a.txt": "clean"}
    assert synced.subjects() == {"Base", "Better"}


def test_going_back_to_an_earlier_commit_shows_it_again(synced: Synced) -> None:
    first = synced.remote.commit({b"a.txt": b"one\n"}, message="One")
    second = synced.remote.commit({b"a.txt": b"two\n"}, message="Two")
    synced.sync()
    synced.remote.move("main", first)
    synced.sync()
    assert synced.paths() == {"a.txt": "one"}
    synced.remote.move("main", second)
    synced.sync()
    assert synced.paths() == {"a.txt": "two"}
    assert synced.subjects() == {"One", "Two"}


def test_branches_that_match_a_pattern_are_followed_and_forgotten(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "many", branch_pattern="release/*")
    base = synced.remote.commit({b"a.txt": b"main\n"}, message="Main")
    synced.remote.commit({b"a.txt": b"one\n"}, branch="release/1", parents=[base], message="One")
    synced.remote.commit({b"a.txt": b"two\n"}, branch="release/2", parents=[base], message="Two")
    synced.remote.commit({b"a.txt": b"other\n"}, branch="feature", parents=[base], message="Other")
    synced.sync()
    assert [row[2] for row in synced.rows(Kind.CODE)] == [("release/1",), ("release/2",)]
    assert synced.subjects() == {"Main", "One", "Two"}
    synced.remote.remove("release/1")
    shown = synced.sync()
    assert synced.paths() == {"a.txt": "two"}
    assert synced.subjects() == {"Main", "Two"}
    assert shown["heads"].keys() == {"release/2"}


def test_a_branch_that_is_created_later_marks_the_files_that_it_shares(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "shared", branch_pattern="*")
    synced.remote.commit({b"a.txt": b"a\n", b"b.txt": b"b\n"})
    synced.sync()
    tip = synced.remote.tip("main")
    synced.remote.commit({b"a.txt": b"a\n", b"b.txt": b"c\n"}, branch="dev", parents=[tip or ""])
    synced.sync()
    assert {row[1:] for row in synced.rows(Kind.CODE)} == {
        ("a.txt", ("dev", "main"), "a"),
        ("b.txt", ("dev",), "c"),
        ("b.txt", ("main",), "b"),
    }


def test_when_the_selected_branch_is_gone_nothing_stays_and_the_cause_is_shown(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "gone", branch="main")
    synced.remote.commit({b"a.txt": b"a\n"})
    synced.sync()
    synced.remote.move("trunk", synced.remote.tip("main") or "")
    synced.remote.remove("main")
    shown = synced.sync()
    assert synced.rows() == []
    assert (shown["state"], shown["last_error"]["code"]) == ("failed", "branch_not_found")
    assert "trunk" in shown["last_error"]["message"]
    assert shown["head"] is None


def test_an_empty_repository_is_synced(synced: Synced) -> None:
    shown = synced.sync()
    assert (shown["state"], shown["head"], shown["last_error"]) == ("synced", None, None)
    assert synced.rows() == []
    synced.remote.commit({b"a.txt": b"a\n"})
    assert synced.sync()["state"] == "synced"
    assert synced.paths() == {"a.txt": "a"}


def test_a_branch_that_never_was_is_named_with_those_that_are(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "typo", branch="mian")
    synced.remote.commit({b"a.txt": b"a\n"})
    shown = synced.sync()
    assert shown["state"] == "failed"
    assert "'mian'" in shown["last_error"]["message"]
    assert "main" in shown["last_error"]["message"]


def test_objects_that_are_here_are_not_fetched_again(
    synced: Synced, host: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from projects.sync.objects import Incoming

    sizes: list[int] = []
    write = Incoming.write

    def spying(self: Incoming, data: bytes) -> int:
        sizes.append(len(data))
        return write(self, data)

    monkeypatch.setattr(Incoming, "write", spying)
    big = b"".join(b"%d: line of a long file that does not compress well %d\n" % (n, n * n) for n in range(5000))
    synced.remote.commit({b"big.txt": big, b"a.txt": b"a\n"})
    synced.sync()
    assert sum(sizes) > 10_000
    sizes.clear()
    synced.remote.commit({b"big.txt": big, b"a.txt": b"b\n"})
    synced.sync()
    assert 0 < sum(sizes) < 2_000
