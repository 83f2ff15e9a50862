"""`almanac up | status | logs` say what is wrong, what to do, and how a script can tell."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from almanac_cli import main
from infra.local import ministack, processes
from infra.local.errors import LocalError
from infra.local.stack import LocalStack, Status


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_LOCAL_HOME", str(tmp_path))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main.app, list(arguments))


def test_a_stopped_stack_is_status_3_and_names_the_command_that_starts_it() -> None:
    result = run("status")
    assert result.exit_code == 3
    assert "almanac up" in result.stdout


def test_status_is_one_json_document_for_scripts() -> None:
    result = run("status", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["state"] == "stopped"


def test_a_broken_stack_is_status_1_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalStack, "status", lambda _self: Status("broken", problem="It [/broke] by itself."))
    result = run("status")
    assert result.exit_code == 1
    assert "It [/broke] by itself." in result.stdout


def test_logs_of_a_stack_that_does_not_run_are_status_3() -> None:
    assert run("logs").exit_code == 3
    assert run("logs", "ministack").exit_code == 3


def test_stopping_what_does_not_run_is_no_failure() -> None:
    result = run("down", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["was_running"] is False


def test_a_failed_build_is_status_1_with_its_reason_and_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: LocalStack, _report: object) -> None:
        raise LocalError("sam build failed:\n[/tmp/Makefile:8: build-GitLayer] Error 1", "Mend the cause above.")

    monkeypatch.setattr(LocalStack, "up", fail)
    result = run("up")
    assert result.exit_code == 1
    assert "build-GitLayer" in result.stderr
    assert "Mend the cause above." in result.stderr


def test_a_missing_tool_is_named_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    result = run("up")
    assert result.exit_code == 1
    assert "'git' is missing" in result.stderr


def test_a_full_disk_is_found_before_anything_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": 50_000_000})())
    result = run("up")
    assert result.exit_code == 1
    assert "0.1 GB left" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_pid_that_another_program_got_is_never_taken_for_ours_nor_stopped(tmp_path: Path) -> None:
    log = tmp_path / "sleep.log"
    pid = processes.start(["sleep", "30"], log, {"PATH": "/usr/bin:/bin"}, tmp_path)
    assert not processes.is_alive(pid, ministack.MARKER)
    assert processes.stop(pid, ministack.MARKER, 0.1)
    assert processes.is_alive(pid, "sleep")
    assert processes.stop(pid, "sleep", 5.0)


def test_saved_state_follows_the_stack_to_another_port(tmp_path: Path) -> None:
    layout = LocalStack(tmp_path).layout
    layout.state.mkdir()
    (layout.state / "sqs.json").write_text(
        '{"http://localhost:4566/0/q": 1, "x": "http://127.0.0.1:4566/", "n": 45660}'
    )
    ministack.move(layout, 4566, 4570)
    saved = (layout.state / "sqs.json").read_text()
    assert saved == '{"http://localhost:4570/0/q": 1, "x": "http://127.0.0.1:4570/", "n": 45660}'


def test_streams_are_read_from_their_start_after_a_restart(tmp_path: Path) -> None:
    layout = LocalStack(tmp_path).layout
    layout.state.mkdir()
    saved = {
        "esms": {"data": {"a": 1}},
        "dynamodb_stream_positions": {"__account_region_scoped__": True, "data": {"0\x00us-east-1\x00'id'": 12}},
    }
    (layout.state / "lambda.json").write_text(json.dumps({"payload": saved}))
    ministack._rewind_streams(layout)
    rewound = json.loads((layout.state / "lambda.json").read_text())["payload"]
    assert rewound["esms"] == saved["esms"]
    assert rewound["dynamodb_stream_positions"] == {"__account_region_scoped__": True, "data": {}}
