"""docs/audit.md tells the format exactly: its example is whole, and its script finds what is not."""

import json
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from almanac.audit.chain import Fault, Line, canonical, check
from almanac.audit.operations import OPERATIONS, Kind

DOCUMENT = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
ROWS = {
    Kind.CHANGE: "change",
    Kind.SENSITIVE: "sensitive read",
    Kind.BY_ROUTE: "decided by the route",
    Kind.WITH_CHANGE: "written with the change",
    Kind.READ: "not in a log: reads",
    Kind.PERSONAL: "not in a log: a person's own, of no tenant",
}


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def example() -> list[Line]:
    return [json.loads(line) for line in block("json").splitlines()]


def run(lines: list[Line], tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "check.py").write_text(block("python"))
    (tmp_path / "log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [sys.executable, str(tmp_path / "check.py"), str(tmp_path / "log")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_example_is_a_whole_log() -> None:
    checked = check(example())
    assert (checked.last.seq, checked.broken, checked.erased) == (2, None, 0)


def test_what_is_hashed_in_the_example_is_shown_as_it_is() -> None:
    first = example()[0]
    shown = block("text").rstrip("\n").encode()
    assert canonical({name: value for name, value in first.items() if name not in {"hash", "source"}}) == shown
    assert sha256(shown).hexdigest() == first["hash"]
    assert f"Its SHA-256 is `{first['hash']}`" in DOCUMENT
    assert f"`{canonical(first['source']).decode()}`" in DOCUMENT


def test_the_script_finds_the_example_whole(tmp_path: Path) -> None:
    lines = example()
    del lines[1]["source"]
    done = run(lines, tmp_path)
    assert done.stdout == f"whole: 2 entries, last hash {lines[1]['hash']}\n", done.stderr


@pytest.mark.parametrize("member", ["action", "seq", "prev", "hash", "source_sha256"])
def test_the_script_finds_a_changed_member(tmp_path: Path, member: str) -> None:
    lines = example()
    lines[1][member] = 7 if member == "seq" else "0" * 64
    assert "AssertionError: 2:" in run(lines, tmp_path).stderr


@pytest.mark.parametrize("kind", list(Kind))
def test_the_table_of_operations_is_the_one_of_the_code(kind: Kind) -> None:
    (row,) = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {ROWS[kind]} |")]
    named = set(re.findall(r"`(\w+)`", row))
    assert named == {name for name, each in OPERATIONS.items() if each is kind}, "mend the table in docs/audit.md"


def test_every_fault_is_explained() -> None:
    for fault in Fault:
        assert f"`{fault.value}`" in DOCUMENT
