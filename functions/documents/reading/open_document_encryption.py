"""OpenDocument behind a password, as ODF 1.2 and 1.3 and LibreOffice have it.

Either each part is encrypted by itself, or (LibreOffice since 24.8) a whole file within another. The manifest says how:
the password becomes a start key (a hash), that a derived key (PBKDF2 or Argon2id), and that opens what was deflated
before (AES-256 in CBC, checked by a hash of the first kilobyte, or in GCM, which checks itself).
"""

import base64
import hashlib
import hmac
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from documents.reading import zips
from documents.reading.markup import attribute
from documents.reading.units import Task, Trouble

_MANIFEST = "META-INF/manifest.xml"
_PACKAGE = "encrypted-package"
_READ = ("mimetype", "content.xml", "styles.xml", "meta.xml")
"""The parts that readers want; every other stays as it is, since each costs the making of a key."""
_KEY_BYTES, _IV_BYTES, _CHECKED = 32, 12, 1024
_MOST_ITERATIONS = 5_000_000
_MOST_KILOBYTES = 512 * 1024
_MOST_MANIFEST = 1 << 20
_CHUNK = 1 << 20
_OTHERWISE = "The file is encrypted in a way that takes no password here: for a key of its reader's, or with Blowfish."

_Said = dict[str, dict[str, str]]
"""What the manifest says of a part: attributes by element."""


def is_encrypted(path: Path) -> bool:
    with zips.opened(path) as archive:
        if _MANIFEST not in archive.NameToInfo:
            return False
        try:
            with archive.open(_MANIFEST) as manifest:
                return b"encryption-data" in manifest.read(_MOST_MANIFEST)
        except (*zips.BROKEN, RuntimeError, zlib.error):
            raise Trouble("corrupt") from None


def decrypted(task: Task) -> Path:
    """Return a scratch file with what the password opens; raises `Trouble`."""
    if task.password is None:
        raise Trouble("encrypted")
    path = task.scratch_file()
    with zips.opened(task.path) as archive:
        parts = _encrypted(archive)
        if _PACKAGE in parts:
            path.write_bytes(_part(task, archive, _PACKAGE, parts[_PACKAGE]))
            return path
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as clear:
            for name in _READ:
                if name in archive.NameToInfo:
                    clear.writestr(name, _part(task, archive, name, parts.get(name)))
    return path


def _encrypted(archive: zipfile.ZipFile) -> dict[str, _Said]:
    """Return what the manifest says of the parts that are encrypted, by their names."""
    found: dict[str, _Said] = {}
    part = ""
    for name, value in zips.events(archive, _MANIFEST):
        if isinstance(value, dict) and name == "file-entry":
            part = attribute(value, "full-path") or ""
        elif isinstance(value, dict) and (name == "encryption-data" or part in found):
            found.setdefault(part, {})[name] = value
    return found


def _part(task: Task, archive: zipfile.ZipFile, name: str, said: _Said | None) -> bytes:
    member = archive.getinfo(name)
    zips.check_ratio(task, member.file_size, member.compress_size)
    task.budget.expand(member.file_size)
    try:
        data = archive.read(member)
    except (*zips.BROKEN, RuntimeError, zlib.error):
        raise Trouble("corrupt") from None
    if said is None:
        return data
    try:
        return _inflated(task, _opened(data, said, task.password or ""))
    except (ValueError, KeyError, zlib.error):
        raise Trouble("corrupt") from None


def _opened(data: bytes, said: _Said, password: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    method = _said(said, "algorithm", "algorithm-name")
    if "key-derivation" not in said or not method.endswith(("aes256-cbc", "aes256-gcm")):
        raise Trouble("encrypted", _OTHERWISE)
    key = _derived(said["key-derivation"], _start_key(said, password))
    if method.endswith("aes256-gcm"):
        try:
            return AESGCM(key).decrypt(data[:_IV_BYTES], data[_IV_BYTES:], None)
        except InvalidTag:
            raise Trouble("wrong_password") from None
    iv = base64.b64decode(_said(said, "algorithm", "initialisation-vector"))
    opener = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
    clear = opener.update(data) + opener.finalize()
    clear = clear[: -clear[-1]] if clear else clear
    if not _is_right(clear, said):
        raise Trouble("wrong_password")
    return clear


def _said(said: _Said, element: str, name: str) -> str:
    return attribute(said.get(element, {}), name) or ""


def _hash(name: str) -> Callable[[bytes], "hashlib._Hash"]:
    """Return what a name in a manifest stands for. Examples: `...xmlenc#sha256`, `...manifest:1.0#sha1-1k`, `SHA1`."""
    return hashlib.sha256 if "sha256" in name.lower() else hashlib.sha1


def _start_key(said: _Said, password: str) -> bytes:
    return _hash(_said(said, "start-key-generation", "start-key-generation-name"))(password.encode()).digest()


def _is_right(clear: bytes, said: _Said) -> bool:
    expected = base64.b64decode(_said(said, "encryption-data", "checksum"))
    found = _hash(_said(said, "encryption-data", "checksum-type"))(clear[:_CHECKED]).digest()
    return hmac.compare_digest(found, expected)


def _derived(said: dict[str, str], start_key: bytes) -> bytes:
    def number(name: str, most: int) -> int:
        found = int(attribute(said, name) or 0)
        if not 0 < found <= most:
            raise Trouble("hostile", "It asks for more work than opening a file takes.")
        return found

    salt = base64.b64decode(attribute(said, "salt") or "")
    if not (attribute(said, "key-derivation-name") or "").lower().endswith("argon2id"):
        return hashlib.pbkdf2_hmac("sha1", start_key, salt, number("iteration-count", _MOST_ITERATIONS), _KEY_BYTES)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    return Argon2id(
        salt=salt,
        length=_KEY_BYTES,
        iterations=number("argon2-iterations", 32),
        lanes=number("argon2-lanes", 16),
        memory_cost=number("argon2-memory", _MOST_KILOBYTES),
    ).derive(start_key)


def _inflated(task: Task, data: bytes) -> bytes:
    out = bytearray()
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    waiting = data
    while waiting and not unpacker.eof:
        piece = unpacker.decompress(waiting, _CHUNK)
        task.budget.expand(len(piece))
        out += piece
        zips.check_ratio(task, len(out), len(data))
        waiting = unpacker.unconsumed_tail
    return bytes(out)
