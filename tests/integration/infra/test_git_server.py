"""The local git host speaks to the real git client."""

import gzip
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.git_server import GitServer


def git(directory: Path, *arguments: str) -> str:
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]
    completed = subprocess.run(["git", *author, *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return completed.stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch=trunk")
    (work / "a.txt").write_text("one\n")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "One")
    return work


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "bare").mkdir()
    with GitServer(tmp_path / "bare") as server:
        yield server


def test_a_published_repository_can_be_cloned_with_its_own_default_branch(
    server: GitServer, work: Path, tmp_path: Path
) -> None:
    server.publish(work, "project")
    git(tmp_path, "clone", "--quiet", server.url("project"), "clone")
    assert (tmp_path / "clone/a.txt").read_text() == "one\n"
    assert git(tmp_path / "clone", "branch", "--show-current") == "trunk"


def test_a_push_over_http_is_seen_by_the_next_fetch(server: GitServer, work: Path) -> None:
    server.create("project")
    git(work, "push", "--quiet", server.url("project"), "trunk:main")
    heads = git(work, "ls-remote", server.url("project"), "refs/heads/main")
    assert heads.split()[0] == git(work, "rev-parse", "HEAD")


def test_publishing_again_follows_rewritten_and_deleted_branches(server: GitServer, work: Path) -> None:
    git(work, "branch", "side")
    server.publish(work, "project")
    git(work, "branch", "--delete", "side")
    git(work, "commit", "--quiet", "--amend", "--message", "Another")
    server.publish(work, "project")
    heads = git(work, "ls-remote", "--heads", server.url("project"))
    assert heads.split() == [git(work, "rev-parse", "HEAD"), "refs/heads/trunk"]


def test_compressed_and_chunked_request_bodies_are_understood(server: GitServer, work: Path) -> None:
    server.publish(work, "project")
    body = gzip.compress(b"0014command=ls-refs\n0000")
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Content-Encoding": "gzip",
        "Git-Protocol": "version=2",
    }
    for data in (body, iter([body[:5], body[5:]])):
        request = urllib.request.Request(f"{server.url('project')}/git-upload-pack", data=data, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert git(work, "rev-parse", "HEAD").encode() in answer.read()


def test_a_repository_that_is_not_there_is_a_404(server: GitServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{server.url('nothing')}/info/refs?service=git-upload-pack")  # noqa: S310
    caught.value.close()


def test_a_path_cannot_leave_the_served_directory(server: GitServer, work: Path) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.address}/../work/.git/info/refs?service=git-upload-pack")  # noqa: S310
    caught.value.close()


def test_a_token_is_asked_for_when_one_is_set(work: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    with GitServer(tmp_path / "private", token="s3cret") as server:
        server.publish(work, "project")
        with pytest.raises(subprocess.CalledProcessError):
            git(work, "-c", "core.askPass=true", "ls-remote", server.url("project"))
        address = server.url("project").replace("http://", "http://any:s3cret@")
        assert git(work, "rev-parse", "HEAD") in git(work, "ls-remote", address)
