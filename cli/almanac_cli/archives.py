"""`almanac export` and `almanac import`: a tenant as one file, checked on both ways (docs/export-format.md)."""

import hashlib
import io
import json
import tarfile
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.output import AsJson, connected, escape, messages, show

app = typer.Typer()

_POLL_SECONDS = 2.0
_TRANSFER_SECONDS = 300.0
_ADDRESS_SECONDS = 600.0
"""Addresses last 15 minutes, and so long must a part have that is begun with one."""
_MANIFEST = "manifest.json"
Timeout = Annotated[float, typer.Option(help="How many seconds to wait at most.")]


@app.command("export")
def export_tenant(
    output: Annotated[Path, typer.Option(help="The file to write: a tar archive. It must not exist.")],
    timeout: Timeout = 3600,
    as_json: AsJson = False,
) -> None:
    """Write everything that the tenant has to a file, without its secrets."""
    with connected(as_json) as api:
        if output.exists():
            raise CliError(f"{output} exists.", "Name another file.", Exit.USAGE)
        path = f"/api/v1/exports/{api.post('/api/v1/exports')['id']}"
        export = _ended(api, path, "ready", timeout)
        written = _download(api, path, output)
        document = {"id": export["id"], "file": str(output), "bytes": written, "counts": export["counts"]}
        show(
            document, as_json, f"Wrote {escape(str(output))}: {sum(export['counts'].values())} lines, {written} bytes."
        )


@app.command("import")
def import_tenant(
    file: Annotated[Path, typer.Argument(help="What `almanac export` wrote.")],
    timeout: Timeout = 3600,
    as_json: AsJson = False,
) -> None:
    """Bring an exported tenant into the tenant that you work in, which has no projects yet."""
    with connected(as_json) as api:
        created = api.post("/api/v1/imports", {"manifest": _checked(file)})
        path = f"/api/v1/imports/{created['id']}"
        _send_all(api, path, created["uploads"], file)
        api.post(f"{path}/start")
        done = _ended(api, path, "done", timeout)
        lines = sum(done["counts"].values())
        show(done, as_json, f"Imported {lines} lines. Connect its repositories again to sync them.")


def _ended(api: Api, path: str, wanted: str, timeout: float) -> Document:
    """Wait until work is in the state `wanted`; raises `CliError` when it failed or takes too long."""
    ends = time.monotonic() + timeout
    with messages.status("waiting"):
        while True:
            document: Document = api.get(path)
            if document["state"] == wanted:
                return document
            if document["state"] == "failed":
                raise CliError(f"It failed: {document['cause']}", "Mend the cause, then try again.", Exit.API_ERROR)
            if time.monotonic() > ends:
                raise CliError(f"{path} is still {document['state']}.", "It goes on; look again later.", Exit.TIMEOUT)
            time.sleep(_POLL_SECONDS)


def _download(api: Api, path: str, output: Path) -> int:
    """Write the archive's files to a tar, each as the manifest vouches for it; returns its size."""
    aside = output.with_name(output.name + ".part")
    try:
        with tarfile.open(aside, "w") as archive:
            _gather(api, path, archive)
        aside.replace(output)
    finally:
        aside.unlink(missing_ok=True)
    return output.stat().st_size


def _gather(api: Api, path: str, archive: tarfile.TarFile) -> None:
    """Fetch one file after the other, since all of them may be large; addresses that end are asked for again."""
    addresses, until = _addresses(api, path)
    manifest = _fetch(addresses[_MANIFEST])
    _add(archive, _MANIFEST, manifest)
    for part in json.loads(manifest)["parts"]:
        if time.monotonic() > until:
            addresses, until = _addresses(api, path)
        body = _fetch(addresses[part["name"]])
        _must_match(part, body)
        _add(archive, part["name"], body)


def _addresses(api: Api, path: str) -> tuple[dict[str, str], float]:
    """Return where the files of an export are, and until when that is sure."""
    until = time.monotonic() + _ADDRESS_SECONDS
    return {file["name"]: file["url"] for file in api.get(path)["files"]}, until


def _add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))


def _checked(file: Path) -> dict[str, Any]:
    """Return the manifest of a whole archive; raises `CliError` for what is none."""
    try:
        with tarfile.open(file) as archive:
            manifest: dict[str, Any] = json.loads(_member(archive, _MANIFEST))
            for part in manifest["parts"]:
                _must_match(part, _member(archive, part["name"]))
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise CliError(f"{file} is no archive of a tenant: {error}", "Give what 'export' wrote.", Exit.USAGE) from None
    return manifest


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """Return a file of an archive; nothing where it is missing."""
    try:
        stream = archive.extractfile(name)
    except KeyError:
        return b""
    return stream.read() if stream is not None else b""


def _must_match(part: dict[str, Any], body: bytes) -> None:
    if hashlib.sha256(body).hexdigest() != part["sha256"]:
        raise CliError(f"{part['name']} is damaged or missing.", "Download it again.", Exit.API_ERROR)


def _fetch(url: str) -> bytes:
    return _transferred(httpx.Request("GET", url)).content


def _send_all(api: Api, path: str, uploads: list[dict[str, Any]], file: Path) -> None:
    """Send the parts of an archive; addresses that end are asked for again."""
    until = time.monotonic() + _ADDRESS_SECONDS
    with tarfile.open(file) as archive:
        for number in range(len(uploads)):
            if time.monotonic() > until:
                until = time.monotonic() + _ADDRESS_SECONDS
                uploads = api.get(path)["uploads"]
            _send(uploads[number], _member(archive, uploads[number]["name"]))


def _send(upload: dict[str, Any], body: bytes) -> None:
    _transferred(httpx.Request("PUT", upload["url"], headers=upload["headers"], content=body))


def _transferred(request: httpx.Request) -> httpx.Response:
    """Send a request to the store, whose address is all that it needs."""
    local = request.url.host in {"127.0.0.1", "localhost", "::1"}
    try:
        with httpx.Client(timeout=_TRANSFER_SECONDS, trust_env=not local) as client:
            answer = client.send(request)
    except httpx.HTTPError as error:
        raise CliError(f"The store cannot be reached: {error}", "Try again.", Exit.UNREACHABLE) from None
    if not answer.is_success:
        raise CliError(f"The store answered {answer.status_code}.", "Its addresses last 15 minutes: try again.")
    return answer
