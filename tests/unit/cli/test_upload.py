"""`almanac upload`: every file is sent whole, followed to its end, and its failure told with the cause."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from almanac_cli import bars, feed, transfers, upload
from almanac_cli.client import Api
from tests.unit.cli.conftest import Cli, FakeApi, Request

PATH = "/api/v1/documents"
BYTES = b"%PDF-1.7 a plan"
COUNTS = {"pages": 2, "read": 1, "bad": 0, "chunks": 3, "embedded": 0}


def document(state: str = "awaiting", **more: Any) -> dict[str, Any]:
    fields = {"title": "plan.pdf", "filename": "plan.pdf", "version": 1, "size": len(BYTES), "cause": None}
    return {"id": "doc_1", "state": state, **fields, **more}


def job(percent: int) -> dict[str, Any]:
    return {"step": "reading", "percent": percent, "counts": COUNTS}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(upload, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(upload, "_PAUSES", (0.01, 0.01))
    monkeypatch.setattr(transfers, "_FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.pdf"
    path.write_bytes(BYTES)
    return path


def taking(api: FakeApi, *states: dict[str, Any], path: str = PATH) -> None:
    """Have the API take a file by a form, and the document stand as told afterwards."""
    form = {"mode": "post", "url": f"{api.url}/store", "fields": {"key": "k", "policy": "p"}}
    api.answer("POST", path, {"document": document(), "duplicate": False, "upload": form}, status=201)
    api.answer("POST", "/store", None, status=204)
    if states:
        api.answer("GET", f"{PATH}/doc_1", *states)


def multipart(api: FakeApi, file: Path, parts: int) -> bytes:
    """Have the API take a file in parts; returns its bytes."""
    body = bytes(range(256)) * 5
    file.write_bytes(body)
    size = -(-len(body) // parts)
    sizes = [min(size, len(body) - first) for first in range(0, len(body), size)]
    addresses = [{"number": n, "size": part, "url": f"{api.url}/part/{n}"} for n, part in enumerate(sizes, 1)]
    asked = {"mode": "multipart", "part_size": size, "parts": addresses}
    api.answer("POST", PATH, {"document": document(), "duplicate": False, "upload": asked}, status=201)
    return body


def form_of(request: Request) -> list[tuple[str, bytes]]:
    """Return the fields of a form in the order in which they were sent."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    parts = (part.partition(b"\r\n\r\n") for part in request.body.split(b"--" + boundary)[1:-1])
    return [(head.partition(b'name="')[2].partition(b'"')[0].decode(), body[:-2]) for head, _, body in parts]


def test_a_file_is_described_by_its_hash_and_sent_as_the_form_that_was_signed(
    api: FakeApi, cli: Cli, file: Path
) -> None:
    taking(api)
    (result,) = cli.json("upload", str(file), "--type", "plan")["items"]
    assert result == {"file": str(file), "document": document(), "duplicate": False}
    sha256 = hashlib.sha256(BYTES).hexdigest()
    described = {"filename": "plan.pdf", "content_type": "application/pdf", "size": len(BYTES), "sha256": sha256}
    assert api.sent("POST", PATH)[0].json == {"document_type": "plan", **described}
    (sent,) = api.sent("POST", "/store")
    assert form_of(sent) == [("key", b"k"), ("policy", b"p"), ("file", BYTES)]
    assert "authorization" not in sent.headers


def test_bytes_that_are_there_already_are_not_sent_again(api: FakeApi, cli: Cli, file: Path) -> None:
    api.answer("POST", PATH, {"document": document("ready"), "duplicate": True, "upload": None})
    (result,) = cli.json("upload", str(file))["items"]
    assert result["duplicate"]
    assert not api.sent("POST", "/store")
    assert "is there already as doc_1" in " ".join(cli.run("upload", str(file)).stdout.split())


def test_waiting_ends_when_the_document_is_searchable(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api, document(), document("processing", job=job(20)), document("ready"))
    (result,) = cli.json("upload", str(file), "--wait")["items"]
    assert result["document"]["state"] == "ready"


def test_a_failed_document_ends_with_status_1_and_its_cause_and_way_out(api: FakeApi, cli: Cli, file: Path) -> None:
    cause = {"code": "corrupt", "message": "The file is damaged.", "way_out": "Send a copy that opens."}
    taking(api, document("failed", cause=cause))
    result = cli.run("upload", str(file), "--wait")
    assert result.exit_code == 1
    assert "The file is damaged. Send a copy that opens." in " ".join(result.stdout.split())


def test_one_file_that_fails_keeps_no_other_from_being_taken(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api)
    result = cli.run("upload", str(file), str(file.with_name("missing.pdf")))
    assert result.exit_code == 1
    assert "plan.pdf: doc_1, sent." in result.stdout.replace("\n", "")
    assert len(api.sent("POST", "/store")) == 1


def test_a_store_that_stumbles_is_asked_again_and_one_that_refuses_is_not(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api)
    api.answers["POST", "/store"] = [(503, None), (204, None)]
    assert cli.run("upload", str(file)).exit_code == 0
    assert [form_of(sent)[-1][1] for sent in api.sent("POST", "/store")] == [BYTES, BYTES]
    api.requests.clear()
    api.answer("POST", "/store", b"EntityTooLarge", status=400)
    api.answer("DELETE", f"{PATH}/doc_1/upload", None, status=204)
    assert cli.run("upload", str(file)).exit_code == 1
    assert len(api.sent("POST", "/store")) == 1
    assert len(api.sent("DELETE", f"{PATH}/doc_1/upload")) == 1


def test_a_large_file_goes_in_parts_and_a_lost_part_alone_goes_again(api: FakeApi, cli: Cli, file: Path) -> None:
    body = multipart(api, file, 3)
    for number in (1, 2, 3):
        api.answer("PUT", f"/part/{number}", None)
        api.headers[f"/part/{number}"] = {"etag": f'"e{number}"'}
    api.answers["PUT", "/part/2"] = [(500, None), (200, None)]
    api.answer("POST", f"{PATH}/doc_1/upload/complete", document("processing"))
    cli.json("upload", str(file))
    pieces = [api.sent("PUT", f"/part/{number}")[-1].body for number in (1, 2, 3)]
    assert b"".join(pieces) == body
    assert [len(api.sent("PUT", f"/part/{number}")) for number in (1, 2, 3)] == [1, 2, 1]
    parts = [{"number": number, "etag": f'"e{number}"'} for number in (1, 2, 3)]
    assert api.sent("POST", f"{PATH}/doc_1/upload/complete")[0].json == {"parts": parts}


def test_a_new_version_is_of_the_document_that_is_named(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api, path=f"{PATH}/doc_1/versions")
    cli.json("upload", str(file), "--document", "doc_1")
    assert api.sent("POST", f"{PATH}/doc_1/versions")
    for wrong in (["--project", "prj_1"], [str(file)]):
        assert cli.run("upload", str(file), "--document", "doc_1", *wrong).exit_code == 2


def test_an_encrypted_file_is_read_again_with_the_password_that_was_asked_for(
    api: FakeApi, cli: Cli, file: Path
) -> None:
    cause = {"code": "encrypted", "message": "It is encrypted.", "way_out": "Give its password."}
    taking(api, document("failed", cause=cause), document("ready"))
    api.answer("POST", f"{PATH}/doc_1/reprocess", document("processing", job=job(0)), status=202)
    result = cli.run("upload", str(file), "--password-prompt", stdin="hunter2\n")
    assert result.exit_code == 0, result.output
    assert api.sent("POST", f"{PATH}/doc_1/reprocess")[0].json == {"password": "hunter2"}
    assert "hunter2" not in result.output


def test_who_waited_long_enough_is_told_that_it_goes_on(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api, document("processing", job=job(20)))
    result = cli.run("upload", str(file), "--wait", "--timeout", "0")
    assert (result.exit_code, "It goes on" in result.stdout) == (6, True)


def test_progress_is_told_line_by_line_where_there_is_no_terminal(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api, document("processing", job=job(20)), document("processing", job=job(40)), document("ready"))
    said = cli.run("upload", str(file), "--wait").stderr.splitlines()
    assert said == [f"· plan.pdf: {step}" for step in ("hashing", "sending", "reading", "ready", "done")]


def test_an_api_that_is_away_for_a_while_does_not_end_the_waiting(api: FakeApi, cli: Cli, file: Path) -> None:
    away = {"detail": "Away."}
    taking(api, document())
    api.answers["GET", f"{PATH}/doc_1"] = [(200, document()), (503, away), (502, away), (200, document("ready"))]
    (result,) = cli.json("upload", str(file), "--wait")["items"]
    assert result["document"]["state"] == "ready"


def test_an_answer_that_was_lost_is_asked_for_again_and_makes_no_second_document(
    api: FakeApi, cli: Cli, file: Path
) -> None:
    taking(api)
    (taken,) = api.answers["POST", PATH]
    api.answers["POST", PATH] = [(503, {"detail": "Away."}), (502, {"detail": "Away."}), taken]
    (result,) = cli.json("upload", str(file))["items"]
    assert "error" not in result
    keys = {request.headers["idempotency-key"] for request in api.sent("POST", PATH)}
    assert (len(api.sent("POST", PATH)), len(keys)) == (3, 1)


def test_a_file_is_sent_when_the_api_has_room_for_it(api: FakeApi, cli: Cli, file: Path) -> None:
    taking(api)
    (taken,) = api.answers["POST", PATH]
    api.headers[PATH] = {"retry-after": "0"}
    api.answers["POST", PATH] = [(429, {"code": "rate_limited", "detail": "Too many calls."})] * 3 + [taken]
    (result,) = cli.json("upload", str(file))["items"]
    assert "error" not in result
    assert len(api.sent("POST", "/store")) == 1


def test_who_would_have_to_wait_for_long_is_told_so_at_once(api: FakeApi, cli: Cli) -> None:
    api.answer("GET", f"{PATH}/doc_1", {"code": "rate_limited", "detail": "Too many calls."}, status=429)
    api.headers[f"{PATH}/doc_1"] = {"retry-after": "3600"}
    assert cli.run("documents", "show", "doc_1").exit_code == 1
    assert len(api.sent("GET", f"{PATH}/doc_1")) == 1


def test_an_interrupted_upload_ends_and_does_not_wait_for_its_files(
    api: FakeApi, cli: Cli, file: Path, config_file: Path
) -> None:
    taking(api, document("processing", job=job(20)))
    command = [sys.executable, "-m", "almanac_cli", "upload", str(file), "--wait", "--timeout", "3600"]
    environment = {**os.environ, "ALMANAC_CONFIG": str(config_file)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while "reading" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()


def test_a_file_that_was_not_sent_whole_when_it_was_interrupted_is_given_up(
    api: FakeApi, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(api)
    api.answer("DELETE", f"{PATH}/doc_1/upload", None, status=204)

    class Interrupted(bars.Bar):
        def moved(self, step: str, done: int, total: int) -> None:
            if step == "sending":
                raise bars.Stopped

    wish = upload.Wish({}, None, wait=False, password=None, deadline=0.0)
    with Api(api.url, "alm_key") as connection, pytest.raises(bars.Stopped):
        upload._sent(connection, file, wish, Interrupted())
    assert len(api.sent("DELETE", f"{PATH}/doc_1/upload")) == 1


def test_a_bar_does_not_go_back_when_something_is_sent_again() -> None:
    with Progress(disable=True) as progress:
        bar = bars._Live(progress, "plan.pdf")
        shown = []
        for done in (5, 9, 2, 6, 10):
            bar.moved("sending", done, 10)
            shown.append(progress.tasks[0].completed)
    assert shown == [5, 9, 9, 9, 10]


def test_a_directory_is_no_file_and_is_said_to_be_none(api: FakeApi, cli: Cli, file: Path) -> None:
    result = cli.run("upload", str(file.parent), "--json")
    (item,) = json.loads(result.stdout)["items"]
    assert (result.exit_code, "is no file" in item["error"]["detail"]) == (1, True)
    assert not api.sent("POST", PATH)
