"""Documents on the deployed stack: a file becomes passages to cite, its job is followed, and deleted it is gone."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from almanac_cli.main import app
from tests.e2e.conftest import Tenant
from tests.unit.reading.files import pdf, pdf_file
from tests.unit.reading.scans import saved
from tests.unit.reading.scans import scan as picture

PATIENCE_SECONDS = 300.0
DOCUMENTS = "/api/v1/documents"
PLAN = "The okapi migration moves all invoices to the new ledger.\nIt is paid within 30 days of delivery."
PAGES = ["Project plan\nThis page greets the reader.", PLAN, "Risks\nThe quagga vendor may be late."]


def test_an_uploaded_file_is_found_and_cited_by_its_page(tenant: Tenant) -> None:
    document = ready(tenant, upload(tenant, pdf(PAGES)))
    assert (document["state"], document["version"]) == ("ready", 1)
    hit = search(tenant, "okapi invoices ledger")[0]
    citation = hit["citation"]
    assert (citation["document_id"], citation["version"], citation["number"]) == (document["id"], 1, 2)
    asked = {"question": "Within how many days is the okapi migration paid?", "document": [document["id"]]}
    told = ok(tenant.client.post("/api/v1/ask", json=asked))
    assert told["answered"], told
    assert {cited["citation"]["number"] for cited in told["citations"]} == {2}


def test_a_new_version_answers_the_earlier_one_is_still_there_and_the_difference_is_told(tenant: Tenant) -> None:
    first = ready(tenant, upload(tenant, pdf(PAGES)))
    changed = [PAGES[0], PLAN.replace("30 days", "45 days"), PAGES[2]]
    upload(tenant, pdf(changed), document=first["id"])
    second = ready(tenant, first["id"], version=2)
    assert second["shown_version"] == 2
    newest = search(tenant, "okapi paid days of delivery")[0]
    assert "45 days" in newest["excerpt"]
    before = search(tenant, "okapi paid days of delivery", document=[first["id"]], version=1)[0]
    assert "30 days" in before["excerpt"]
    diff = ok(tenant.client.get(f"{DOCUMENTS}/{first['id']}/diff", params={"from": 1, "to": 2}))
    assert "30" in json.dumps(diff)
    assert "45" in json.dumps(diff)


def test_events_come_once_and_in_order_over_a_socket_that_broke_and_by_polling_alike(tenant: Tenant) -> None:
    document = create(tenant, pdf(PAGES))["document"]["id"]
    topic = f"document:{document}"
    seen: list[dict[str, Any]] = []
    with socket(tenant) as live:
        say(live, topic, resume_from=0)
        send(tenant, document, pdf(PAGES))
        seen += until(live, lambda events: len(events) >= 2)
    with socket(tenant) as live:
        say(live, topic, resume_from=seen[-1]["sequence"])
        seen += until(live, lambda events: any(event["data"]["state"] == "ready" for event in events))
    numbers = [event["sequence"] for event in seen]
    assert numbers == list(range(1, len(numbers) + 1))
    percents = [event["data"]["job"]["percent"] for event in seen if event["data"].get("job")]
    assert percents == sorted(percents)
    polled = ok(tenant.client.get("/api/v1/events", params={"topic": topic, "after": 0}))["items"]
    assert polled[: len(seen)] == seen


def test_a_ticket_opens_one_connection_and_a_token_opens_none(tenant: Tenant) -> None:
    url = ok(tenant.client.post("/api/v1/realtime/tickets"))["url"]
    with connect(url, open_timeout=60, proxy=None):
        pass
    address = url.partition("?")[0]
    for refused in (url, f"{address}?ticket={tenant.api_key}", address):
        with pytest.raises(InvalidStatus), connect(refused, open_timeout=60, proxy=None):
            pass


def test_a_private_collection_is_hidden_from_who_is_no_member(tenant: Tenant) -> None:
    scopes = ["content:read", "content:write"]
    key = ok(tenant.client.post("/api/v1/api-keys", json={"name": "other", "scopes": scopes}))["api_key"]
    collection = ok(tenant.client.post("/api/v1/collections", json={"name": "Board", "visibility": "private"}))["id"]
    document = ready(tenant, upload(tenant, pdf(PAGES), collection_id=collection))
    assert search(tenant, "quagga vendor")
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=tenant.client.base_url, headers=headers, timeout=60.0, trust_env=False) as other:
        assert ok(other.post("/api/v1/search", json={"q": "quagga vendor"}))["items"] == []
        assert ok(other.get(DOCUMENTS))["items"] == []
        assert ok(other.get(f"{DOCUMENTS}/suggestions", params={"q": "plan"}))["items"] == []
        topic = {"topic": f"document:{document['id']}"}
        hidden = [f"{DOCUMENTS}/{document['id']}", f"/api/v1/collections/{collection}"]
        assert {other.get(path).status_code for path in hidden} == {404}
        assert other.get("/api/v1/events", params=topic).status_code == 404


def test_a_deleted_document_is_gone_at_once_and_its_receipt_says_what_went(tenant: Tenant) -> None:
    document = ready(tenant, upload(tenant, pdf(PAGES)))["id"]
    assert search(tenant, "quagga vendor")
    assert tenant.client.delete(f"{DOCUMENTS}/{document}").status_code == 202
    assert search(tenant, "quagga vendor") == []
    assert tenant.client.get(f"{DOCUMENTS}/{document}").status_code == 404
    path = f"{DOCUMENTS}/{document}/receipt"
    # What had just been written is looked for once more when no worker can be at it any more; that is not waited for.
    receipt = wait_for(lambda: ok(tenant.client.get(path)), lambda now: now["state"] in {"settling", "done"})
    assert {"file", "text", "vector"} <= {removed["what"] for removed in receipt["removed"]}


def test_a_file_that_is_no_file_fails_with_a_cause_and_can_be_deleted(tenant: Tenant) -> None:
    document = ready(tenant, upload(tenant, b"%PDF-1.7\nnothing of a PDF but its first line"))
    assert document["state"] == "failed"
    assert document["cause"]["message"]
    assert document["cause"]["way_out"]
    assert tenant.client.delete(f"{DOCUMENTS}/{document['id']}").status_code == 202


def test_a_scan_is_read_when_text_recognition_is_asked_for(tenant: Tenant) -> None:
    scan = saved([picture(["The wombat contract is signed in March"])], "PDF")
    document = ready(tenant, upload(tenant, scan))
    assert (document["state"], document["cause"]["code"]) == ("failed", "scanned")
    ok(tenant.client.post(f"{DOCUMENTS}/{document['id']}/reprocess", json={"ocr": True}))
    assert ready(tenant, document["id"])["state"] == "ready"
    assert search(tenant, "wombat contract")[0]["citation"]["label"] == "page 1"


def test_a_small_file_goes_directly(tenant: Tenant) -> None:
    query = {"filename": "note.md"}
    headers = {"content-type": "text/markdown"}
    note = b"# Decisions\n\nThe numbat release is on Friday.\n"
    answer = ok(tenant.client.post(f"{DOCUMENTS}/content", params=query, content=note, headers=headers))
    ready(tenant, (answer.get("document") or answer)["id"])
    assert search(tenant, "numbat release")


def test_a_promise_that_was_kept_in_other_words_is_closed(tenant: Tenant) -> None:
    project = ok(tenant.client.post("/api/v1/projects", json={"name": "Pilot"}))["id"]
    notes = (
        "Date: 2 March 2026\n\n## Action items\n- Ann: collect feedback from the pilot group by 20 March 2026\n",
        "Date: 23 March 2026\n\nComments of the pilot participants were gathered.\n",
    )
    for number, note in enumerate(notes):
        query = {"filename": f"notes-{number}.md", "project_id": project}
        headers = {"content-type": "text/markdown"}
        answer = ok(tenant.client.post(f"{DOCUMENTS}/content", params=query, content=note.encode(), headers=headers))
        ready(tenant, (answer.get("document") or answer)["id"])
    path = f"/api/v1/projects/{project}/commitments"
    found = wait_for(lambda: ok(tenant.client.get(path)), lambda now: now["documents_by_words"] == 0)
    (item,) = found["items"]
    assert (item["status"], found["matched_by"]) == ("closed", "words+vectors")
    assert [later["matched_by"] for later in item["later"]] == ["vectors"]


def test_a_large_file_goes_in_parts_from_the_command_line(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_in(tenant, tmp_path, monkeypatch)
    large = tmp_path / "large.pdf"
    catalogue, pages, font = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[4 0 R]>>", FONT
    text = b"BT /F1 11 Tf 50 740 Td (The bilby appendix is long.) Tj ET"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents 5 0 R>>"
    unused = os.urandom(1024 * 1024) * 101
    large.write_bytes(pdf_file([catalogue, pages, font, page, stream(text), stream(unused)]))
    (result,) = command("upload", str(large), "--wait")["items"]
    assert result["document"]["state"] in {"ready", "partial"}, result
    assert search(tenant, "bilby appendix")


def test_the_command_line_uploads_recognises_shows_downloads_and_deletes(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged_in(tenant, tmp_path, monkeypatch)
    file = tmp_path / "plan.pdf"
    file.write_bytes(pdf(PAGES))
    (result,) = command("upload", str(file), "--wait")["items"]
    document = result["document"]["id"]
    assert result["document"]["state"] == "ready"
    (again,) = command("upload", str(file))["items"]
    assert (again["duplicate"], again["document"]["id"]) == (True, document)
    assert [one["id"] for one in command("documents", "list", "--name", "plan")["items"]] == [document]
    assert any("okapi" in page["text"] for page in command("documents", "text", document)["items"])
    copy = tmp_path / "copy.pdf"
    command("documents", "download", document, "--output", str(copy))
    assert copy.read_bytes() == file.read_bytes()
    events = CliRunner().invoke(app, ["watch", f"document:{document}", "--after", "0", "--count", "2", "--json"])
    assert [json.loads(line)["sequence"] for line in events.stdout.splitlines()] == [1, 2]
    command("documents", "delete", document)
    assert command("documents", "list")["items"] == []


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def stream(content: bytes) -> bytes:
    return b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content)


def create(tenant: Tenant, content: bytes, document: str | None = None, **more: Any) -> dict[str, Any]:
    body = {"filename": "plan.pdf", "content_type": "application/pdf", "size": len(content)}
    body |= {"sha256": hashlib.sha256(content).hexdigest(), **more}
    path = f"{DOCUMENTS}/{document}/versions" if document else DOCUMENTS
    answer: dict[str, Any] = ok(tenant.client.post(path, json=body))
    FORMS[answer["document"]["id"]] = answer["upload"]
    return answer


FORMS: dict[str, dict[str, Any]] = {}
"""The form that each document's file was last promised."""


def send(tenant: Tenant, document: str, content: bytes) -> None:
    """Send a file as a browser would: the form alone, without a key."""
    form = FORMS[document]
    with httpx.Client(timeout=60.0, trust_env=False) as store:
        answer = store.post(form["url"], data=form["fields"], files={"file": ("plan.pdf", content)})
    assert answer.is_success, answer.text


def upload(tenant: Tenant, content: bytes, document: str | None = None, **more: Any) -> str:
    made: str = create(tenant, content, document, **more)["document"]["id"]
    send(tenant, made, content)
    return made


def ready(tenant: Tenant, document: str, version: int = 1) -> dict[str, Any]:
    """Wait until a version's job has ended."""

    def ended(now: dict[str, Any]) -> bool:
        return now["version"] >= version and now["state"] not in {"awaiting", "processing"}

    return wait_for(lambda: ok(tenant.client.get(f"{DOCUMENTS}/{document}")), ended)


def search(tenant: Tenant, text: str, **filters: Any) -> list[dict[str, Any]]:
    body = {"q": text, "kind": ["document"], **filters}
    items: list[dict[str, Any]] = ok(tenant.client.post("/api/v1/search", json=body))["items"]
    return items


def socket(tenant: Tenant) -> ClientConnection:
    return connect(ok(tenant.client.post("/api/v1/realtime/tickets"))["url"], open_timeout=60, proxy=None)


def say(live: ClientConnection, topic: str, **more: Any) -> None:
    live.send(json.dumps({"action": "subscribe", "topic": topic, **more}))
    assert json.loads(live.recv(timeout=30))["type"] == "subscribed"


def until(live: ClientConnection, holds: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """Receive events until what has come is enough."""
    events: list[dict[str, Any]] = []
    for frame in frames(live):
        events += frame["events"]
        if holds(events):
            break
    return events


def frames(live: ClientConnection) -> Iterator[dict[str, Any]]:
    while True:
        frame = json.loads(live.recv(timeout=PATIENCE_SECONDS))
        assert frame["type"] == "events", frame
        yield frame


def logged_in(tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_URL", str(tenant.client.base_url))
    monkeypatch.setenv("ALMANAC_API_KEY", tenant.api_key)
    monkeypatch.setenv("ALMANAC_CONFIG", str(tmp_path / "config.toml"))


def command(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def wait_for(look: Callable[[], Any], holds: Callable[[Any], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    shown: dict[str, Any] = found
    return shown
