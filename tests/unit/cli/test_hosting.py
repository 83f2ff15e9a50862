"""Local repositories as they lie on a disk: each becomes an address that git can read."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac_cli import hosting
from almanac_cli.errors import CliError


def git(*arguments: str, at: Path) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=at, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ALMANAC_LOCAL_HOME", str(tmp_path / "home"))
    yield
    hosting.stop()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    git("init", "--quiet", "--initial-branch=trunk", at=path)
    for number in range(3):
        (path / "file.txt").write_text(str(number))
        git("add", ".", at=path)
        git("commit", "--quiet", "-m", f"change {number}", at=path)
    return path


def _heads(url: str, at: Path) -> dict[str, str]:
    lines = (line.split("\t") for line in git("ls-remote", url, at=at).splitlines())
    return {name: commit for commit, name in lines}


def test_a_checkout_is_served_with_its_branches_and_followed(checkout: Path, tmp_path: Path) -> None:
    git("branch", "topic", at=checkout)
    url = hosting.serve(checkout)
    head = git("rev-parse", "HEAD", at=checkout)
    assert _heads(url, tmp_path) == {"HEAD": head, "refs/heads/trunk": head, "refs/heads/topic": head}
    git("branch", "-D", "topic", at=checkout)
    git("commit", "--quiet", "--amend", "-m", "another history", at=checkout)
    assert hosting.serve(checkout / ".") == url
    rewritten = git("rev-parse", "HEAD", at=checkout)
    assert _heads(url, tmp_path) == {"HEAD": rewritten, "refs/heads/trunk": rewritten}


def test_a_shallow_detached_checkout_is_served_and_may_become_whole_later(checkout: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    git("clone", "--quiet", "--depth", "1", f"file://{checkout}", str(shallow), at=tmp_path)
    git("checkout", "--quiet", "--detach", at=shallow)
    git("branch", "-D", "trunk", at=shallow)
    url = hosting.serve(shallow)
    head = git("rev-parse", "HEAD", at=shallow)
    assert _heads(url, tmp_path) == {"HEAD": head, "refs/heads/main": head}
    git("fetch", "--quiet", "--unshallow", at=shallow)
    git("clone", "--quiet", hosting.serve(shallow), str(tmp_path / "whole"), at=tmp_path)
    assert git("rev-list", "--count", "HEAD", at=tmp_path / "whole") == "3"


def test_uncommitted_changes_are_noticed_and_left_alone(checkout: Path) -> None:
    assert not hosting.has_uncommitted_changes(checkout)
    (checkout / "file.txt").write_text("dirty")
    assert hosting.has_uncommitted_changes(checkout)
    hosting.serve(checkout)
    assert (checkout / "file.txt").read_text() == "dirty"


def test_a_path_inside_a_checkout_means_the_checkout_and_two_of_one_name_stay_apart(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "inner").mkdir()
    assert hosting.serve(checkout / "inner") == hosting.serve(checkout)
    twin = tmp_path / "elsewhere" / "project"
    twin.parent.mkdir()
    git("clone", "--quiet", str(checkout), str(twin), at=tmp_path)
    assert hosting.serve(twin) != hosting.serve(checkout)


@pytest.mark.parametrize(
    ("kind", "cause"), [("missing", "no directory"), ("plain", "not in a git"), ("empty", "no commits")]
)
def test_what_cannot_be_served_is_refused_with_its_cause(tmp_path: Path, kind: str, cause: str) -> None:
    path = tmp_path / kind
    if kind != "missing":
        path.mkdir()
    if kind == "empty":
        git("init", "--quiet", at=path)
    with pytest.raises(CliError, match=cause):
        hosting.serve(path)


def test_the_address_survives_a_restart_of_the_server(checkout: Path) -> None:
    url = hosting.serve(checkout)
    assert hosting.stop()
    assert not hosting.stop()
    assert hosting.serve(checkout) == url
