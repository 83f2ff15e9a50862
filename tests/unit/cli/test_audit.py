"""The audit log from the command line: listed, checked there and here, and taken out."""

import json
from pathlib import Path
from typing import Any

import pytest

from almanac.audit.chain import Line
from almanac_cli import audit
from tests.unit.audit.test_chain import log
from tests.unit.cli.conftest import Cli, FakeApi

AUDIT = "/api/v1/audit"
ENTRY: dict[str, Any] = {
    "seq": 7,
    "at": "2026-01-31T12:00:00.000Z",
    "actor": {"id": "usr_1", "role": "owner"},
    "action": "update_member",
    "resource": {"person_id": "usr_2"},
    "facts": {"role": "admin"},
    "source": {"ip": "192.0.2.1"},
    "result": "refused",
    "code": "role_above_own",
}


def report(**changes: Any) -> dict[str, Any]:
    whole = {
        "intact": True,
        "after": 0,
        "verified": {"seq": 2, "hash": "aa"},
        "head": {"seq": 4, "hash": "bb"},
        "next_after": None,
        "broken": None,
        "sources_erased": 0,
        "open": 0,
        "oldest_open_at": None,
    }
    return {**whole, **changes}


def written(path: Path, lines: list[Line]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_the_log_is_listed_with_who_what_and_from_where(api: FakeApi, cli: Cli) -> None:
    api.items(AUDIT, ENTRY)
    shown = cli.run("audit", "list", "--actor", "usr_1", "--json").stdout
    assert json.loads(shown)["items"] == [ENTRY]
    assert api.sent("GET", AUDIT)[0].query["actor"] == ["usr_1"]
    # A narrow terminal folds what is long.
    text = "".join(cli.run("audit", "list").stdout.split())
    for part in ("usr_1", "192.0.2.1", "refused:"):
        assert part in text


def test_the_log_is_checked_part_by_part_to_its_end(api: FakeApi, cli: Cli) -> None:
    last = report(verified={"seq": 4, "hash": "bb"}, open=1, oldest_open_at="2026-01-31T12:00:00.000Z")
    api.answer("GET", f"{AUDIT}/verify", report(next_after=2, sources_erased=1), last)
    shown = cli.run("audit", "verify")
    assert shown.exit_code == 0
    assert "up to 4 with the hash bb" in " ".join(shown.stdout.split())
    assert [request.query["after"] for request in api.sent("GET", f"{AUDIT}/verify")] == [["0"], ["2"]]


def test_a_broken_log_is_an_error_that_says_where(api: FakeApi, cli: Cli) -> None:
    broken = {"seq": 3, "fault": "changed", "detail": "the entry is not what its hash was made of"}
    api.answer("GET", f"{AUDIT}/verify", report(intact=False, broken=broken))
    shown = cli.run("audit", "verify")
    assert shown.exit_code == 1
    assert "Entry 3 is not: changed" in " ".join(shown.stdout.split())


def test_an_export_is_written_whole_and_checked_without_the_api(
    api: FakeApi, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PART", 2)
    lines = [json.dumps(line) + "\n" for line in log(3)]
    api.answer("GET", f"{AUDIT}/export", "".join(lines[:2]).encode(), lines[2].encode())
    file = tmp_path / "audit.ndjson"
    assert json.loads(cli.run("audit", "export", str(file), "--json").stdout)["entries"] == 3
    assert file.read_text() == "".join(lines)
    assert [request.query["after"] for request in api.sent("GET", f"{AUDIT}/export")] == [["0"], ["2"]]
    checked = json.loads(cli.run("audit", "verify", str(file), "--json").stdout)
    assert (checked["intact"], checked["verified"]["seq"]) == (True, 3)


def test_a_part_of_a_log_is_checked_from_where_it_begins(cli: Cli, tmp_path: Path) -> None:
    shown = cli.run("audit", "verify", written(tmp_path / "part", log(5)[2:]), "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["after"]) == (0, 2)


@pytest.mark.parametrize("damage", [[], 7, {"seq": "x"}, {}])
def test_a_changed_file_is_found(cli: Cli, tmp_path: Path, damage: Any) -> None:
    lines: list[Any] = log(3)
    lines[1] = damage
    shown = cli.run("audit", "verify", written(tmp_path / "changed", lines), "--json")
    assert (shown.exit_code, json.loads(shown.stdout)["broken"]["seq"]) == (1, 2)


def test_a_file_that_is_no_export_is_said_to_be_none(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not json\n")
    for name in ("text", "absent"):
        shown = cli.run("audit", "verify", str(tmp_path / name))
        assert shown.exit_code == 2
        assert "is no export" in " ".join(shown.stderr.split())
