"""`almanac export`, `import`, `erase` and `usage`: whole files, or an error that says why."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from almanac_cli import archives
from tests.unit.cli.conftest import Cli, FakeApi

PART = gzip.compress(b'{"row":{}}\n', mtime=0)
NAME = "000001.jsonl.gz"
MANIFEST = {
    "format": 1,
    "parts": [{"name": NAME, "sha256": hashlib.sha256(PART).hexdigest(), "bytes": len(PART), "lines": 1}],
}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_POLL_SECONDS", 0.01)


def exported(api: FakeApi, part: bytes = PART) -> None:
    """Have the API write an archive whose files lie in its own store."""
    files = [{"name": name, "url": f"{api.url}/store/{name}"} for name in ("manifest.json", NAME)]
    running: dict[str, Any] = {"id": "exp_1", "state": "running", "files": [], "counts": {}, "cause": None}
    ready = {**running, "state": "ready", "files": files, "counts": {"project": 1}}
    api.answer("POST", "/api/v1/exports", running, status=202)
    api.answer("GET", "/api/v1/exports/exp_1", running, ready)
    api.answer("GET", "/store/manifest.json", json.dumps(MANIFEST).encode())
    api.answer("GET", f"/store/{NAME}", part)


def importing(api: FakeApi, *states: dict[str, Any]) -> None:
    upload = {"name": NAME, "url": f"{api.url}/store/upload", "headers": {"x-amz-tagging": "lifetime=transient"}}
    api.answer("POST", "/api/v1/imports", {"id": "imp_1", "uploads": [upload]}, status=201)
    api.answer("PUT", "/store/upload", b"")
    api.answer("POST", "/api/v1/imports/imp_1/start", {"id": "imp_1"}, status=202)
    api.answer("GET", "/api/v1/imports/imp_1", *states)


def test_what_is_exported_can_be_imported_again(api: FakeApi, cli: Cli, tmp_path: Path) -> None:
    exported(api)
    file = tmp_path / "acme.tar"
    written = cli.json("export", "--output", str(file))
    assert written == {"id": "exp_1", "file": str(file), "bytes": file.stat().st_size, "counts": {"project": 1}}
    assert "authorization" not in api.sent("GET", f"/store/{NAME}")[0].headers
    done = {"id": "imp_1", "state": "done", "counts": {"project": 1}, "cause": None}
    importing(api, {"state": "checking"}, done)
    assert cli.json("import", str(file)) == done
    (begun,) = api.sent("POST", "/api/v1/imports")
    assert begun.json == {"manifest": MANIFEST}
    (sent,) = api.sent("PUT", "/store/upload")
    assert (sent.body, sent.headers["x-amz-tagging"]) == (PART, "lifetime=transient")
    assert "authorization" not in sent.headers


def test_addresses_that_end_are_asked_for_again(
    api: FakeApi, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_ADDRESS_SECONDS", -1.0)
    exported(api)
    cli.json("export", "--output", str(tmp_path / "acme.tar"))
    # Running, ready, and one look for the manifest's address and for each part's.
    assert len(api.sent("GET", "/api/v1/exports/exp_1")) == 4


def test_where_to_send_an_archive_is_asked_for_again(
    api: FakeApi, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(api)
    file = tmp_path / "acme.tar"
    cli.json("export", "--output", str(file))
    monkeypatch.setattr(archives, "_ADDRESS_SECONDS", -1.0)
    later = {"name": NAME, "url": f"{api.url}/store/later", "headers": {}}
    done: dict[str, Any] = {"id": "imp_1", "state": "done", "counts": {}, "cause": None, "uploads": []}
    importing(api, {"id": "imp_1", "state": "waiting", "uploads": [later]}, done)
    api.answer("PUT", "/store/later", b"")
    assert cli.json("import", str(file))["state"] == "done"
    assert (len(api.sent("PUT", "/store/later")), api.sent("PUT", "/store/upload")) == (1, [])


def test_a_damaged_download_is_an_error_and_leaves_no_file(api: FakeApi, cli: Cli, tmp_path: Path) -> None:
    exported(api, PART[:-1])
    result = cli.run("export", "--output", str(tmp_path / "acme.tar"))
    assert (result.exit_code, list(tmp_path.glob("acme*"))) == (1, [])
    assert f"{NAME} is damaged or missing" in result.stderr


def test_an_export_never_replaces_a_file(api: FakeApi, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "acme.tar"
    file.write_text("mine")
    assert cli.run("export", "--output", str(file)).exit_code == 2
    assert file.read_text() == "mine"
    assert not api.sent("POST", "/api/v1/exports")


@pytest.mark.parametrize(
    "held", [b"", b"no tar", {}, {"manifest.json": b"{"}, {"manifest.json": json.dumps(MANIFEST).encode()}]
)
def test_a_file_that_is_no_archive_is_sent_nowhere(api: FakeApi, cli: Cli, tmp_path: Path, held: Any) -> None:
    file = tmp_path / "acme.tar"
    if isinstance(held, bytes):
        file.write_bytes(held)
    else:
        with tarfile.open(file, "w") as archive:
            for name, body in held.items():
                member = tarfile.TarInfo(name)
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))
    assert cli.run("import", str(file)).exit_code in {1, 2}
    assert not api.sent("POST", "/api/v1/imports")


def test_a_failed_import_says_why_and_one_that_takes_long_goes_on(api: FakeApi, cli: Cli, tmp_path: Path) -> None:
    exported(api)
    file = tmp_path / "acme.tar"
    cli.json("export", "--output", str(file))
    importing(api, {"state": "failed", "cause": "000001.jsonl.gz, line 7: it is not such a line"})
    failed = cli.run("import", str(file))
    assert failed.exit_code == 1
    assert "line 7" in failed.stderr
    importing(api, {"state": "writing", "cause": None})
    assert cli.run("import", str(file), "--timeout", "0").exit_code == 6


def test_an_erasure_is_asked_for_by_name_and_shows_its_receipt(api: FakeApi, cli: Cli) -> None:
    receipt = {
        "id": "ers_1",
        "kind": "tenant",
        "subject_id": "ten_1",
        "state": "done",
        "asked_at": "2026-01-31T12:00:00.000Z",
        "rows": {"message": 12},
        "objects": {"index": 3},
        "kept": [{"what": "logs", "until": "2026-03-02T12:00:00.000Z"}],
        "last_copy_expires_at": "2026-03-02T12:00:00.000Z",
    }
    api.answer("POST", "/api/v1/erasures", receipt, status=202)
    api.answer("POST", "/api/v1/users/me/erasure", receipt, status=202)
    api.answer("GET", "/api/v1/erasures", {"items": [receipt]})
    api.answer("GET", "/api/v1/erasures/ers_1", receipt)
    assert cli.run("erase", "tenant").exit_code == 2
    assert cli.json("erase", "tenant", "--confirm", "Acme") == receipt
    assert api.sent("POST", "/api/v1/erasures")[0].json == {"confirm": "Acme"}
    cli.json("erase", "me", "--confirm", "ada@example.org")
    assert api.sent("POST", "/api/v1/users/me/erasure")[0].json == {"confirm": "ada@example.org"}
    assert "ers_1" in cli.run("erase", "list").output
    shown = cli.run("erase", "show", "ers_1").output
    assert "message: 12" in shown
    assert "kept until 2026-03-02" in shown


def test_the_use_of_quotas_is_shown_beside_their_limits(api: FakeApi, cli: Cli) -> None:
    quota = {"quota": "projects", "used": 3, "limit": 1000, "unit": "projects", "exact": True}
    api.answer("GET", "/api/v1/tenants/me/usage", {"quotas": [quota]})
    assert cli.json("usage")["quotas"] == [quota]
    assert "1000" in cli.run("usage").output
