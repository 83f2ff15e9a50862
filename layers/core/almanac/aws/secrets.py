"""Secrets at rest, in envelopes: each is encrypted with a data key of its own, which KMS wraps.

Tenant and resource are KMS's encryption context and the cipher's associated data: an envelope that is moved to another
tenant or resource does not open, even for whoever may use the key. The bytes of version 1:

| bytes | what |
|---|---|
| 4 | `00 41 4c 4d` (a zero, then `ALM`): nothing that KMS itself makes begins so |
| 1 | the version, `01` |
| 2 | n, the length of the wrapped data key, big-endian |
| n | the wrapped data key, a `CiphertextBlob` of KMS |
| 12 | nonce |
| rest | AES-256-GCM of the secret's UTF-8 bytes, with its tag of 16 bytes at the end |

The associated data are all bytes before the nonce, then the context as JSON (sorted names, no blanks).
Whatever does not begin so was encrypted by KMS directly, as all secrets were before there were envelopes.
"""

import asyncio
import json
import os
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from almanac.aws.clients import Clients, error_code

_MAGIC = b"\0ALM"
_VERSION = 1
_HEAD = struct.Struct(">4sBH")
_NONCE = 12
_CACHE_LIMIT = 256
_ANOTHER_KEY = frozenset({"IncorrectKeyException", "AccessDeniedException"})
CACHE_SECONDS = 300.0
"""So long a decrypted secret stays in memory: a key that KMS refuses from now on is of no use after that."""


class BrokenEnvelope(Exception):
    """The bytes are not what was encrypted for this tenant and resource. The message never tells what they are."""


class _Cached(NamedTuple):
    plain: str
    until: float


class Secrets:
    """Encrypts under `key_id`, and decrypts what was encrypted under it or under one of the `former` keys.

    Decrypted secrets are remembered, at most 256 and for at most `CACHE_SECONDS`. Data keys are not.
    """

    def __init__(
        self, key_id: str, clients: Clients, former: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key_ids = [key_id, *former]
        self._clients = clients
        self._clock = clock
        self._decrypted: OrderedDict[tuple[bytes, str, str], _Cached] = OrderedDict()

    async def encrypt(self, plain: str, *, tenant_id: str, resource_id: str) -> bytes:
        """Return the envelope, which only opens for the same tenant and resource."""
        context = _context(tenant_id, resource_id)
        client = await self._clients.get("kms")
        answer = await client.generate_data_key(KeyId=self._key_ids[0], KeySpec="AES_256", EncryptionContext=context)
        wrapped, key = bytes(answer["CiphertextBlob"]), bytes(answer["Plaintext"])
        return await asyncio.to_thread(_seal, plain.encode(), wrapped, key, context)

    async def decrypt(self, cipher: bytes, *, tenant_id: str, resource_id: str) -> str:
        """Return the plain secret; raises `BrokenEnvelope`, or KMS's own error where it refuses."""
        name = (cipher, tenant_id, resource_id)
        cached = self._decrypted.get(name)
        if cached is not None and self._clock() < cached.until:
            self._decrypted.move_to_end(name)
            return cached.plain
        plain = await self._open(cipher, _context(tenant_id, resource_id))
        self._remember(name, plain)
        return plain

    async def rewrapped(self, cipher: bytes, *, tenant_id: str, resource_id: str) -> bytes:
        """Return the secret in a new envelope under the current key: for ciphers of a former key or of the old form."""
        plain = await self._open(cipher, _context(tenant_id, resource_id))
        return await self.encrypt(plain, tenant_id=tenant_id, resource_id=resource_id)

    async def _open(self, cipher: bytes, context: dict[str, str]) -> str:
        if not cipher.startswith(_MAGIC):
            return (await self._unwrapped(cipher, context)).decode()
        wrapped = _wrapped_key(cipher)
        key = await self._unwrapped(wrapped, context)
        return (await asyncio.to_thread(_unseal, cipher, len(wrapped), key, context)).decode()

    async def _unwrapped(self, blob: bytes, context: dict[str, str]) -> bytes:
        """Decrypt by KMS. The key is always named, so that no blob chooses one that was not meant."""
        client = await self._clients.get("kms")
        for position, key_id in enumerate(self._key_ids):
            try:
                answer = await client.decrypt(KeyId=key_id, CiphertextBlob=blob, EncryptionContext=context)
            except Exception as error:
                # Another key's blob, or a key that this role may not use: if any opens it, it is a former one.
                if error_code(error) in _ANOTHER_KEY and position + 1 < len(self._key_ids):
                    continue
                raise
            return bytes(answer["Plaintext"])
        raise AssertionError("there is at least one key")

    def _remember(self, name: tuple[bytes, str, str], plain: str) -> None:
        now = self._clock()
        self._decrypted[name] = _Cached(plain, now + CACHE_SECONDS)
        self._decrypted.move_to_end(name)
        for old in [old for old, cached in self._decrypted.items() if cached.until <= now]:
            del self._decrypted[old]
        while len(self._decrypted) > _CACHE_LIMIT:
            self._decrypted.popitem(last=False)


def is_envelope(cipher: bytes) -> bool:
    """Tell an envelope from what KMS encrypted directly."""
    return cipher.startswith(_MAGIC)


def _context(tenant_id: str, resource_id: str) -> dict[str, str]:
    return {"tenant": tenant_id, "resource": resource_id}


def _wrapped_key(cipher: bytes) -> bytes:
    if len(cipher) < _HEAD.size:
        raise BrokenEnvelope("the envelope is cut short")
    _, version, length = _HEAD.unpack_from(cipher)
    if version != _VERSION:
        raise BrokenEnvelope(f"envelopes of version {version} are not known here")
    wrapped = cipher[_HEAD.size : _HEAD.size + length]
    if len(cipher) < _HEAD.size + length + _NONCE + 16:
        raise BrokenEnvelope("the envelope is cut short")
    return wrapped


def _seal(plain: bytes, wrapped: bytes, key: bytes, context: dict[str, str]) -> bytes:
    head, nonce = _HEAD.pack(_MAGIC, _VERSION, len(wrapped)) + wrapped, os.urandom(_NONCE)
    sealed: bytes = _aead(key).encrypt(nonce, plain, head + _canonical(context))
    return head + nonce + sealed


def _unseal(cipher: bytes, length: int, key: bytes, context: dict[str, str]) -> bytes:
    from cryptography.exceptions import InvalidTag

    head, rest = cipher[: _HEAD.size + length], cipher[_HEAD.size + length :]
    try:
        plain: bytes = _aead(key).decrypt(rest[:_NONCE], rest[_NONCE:], head + _canonical(context))
    except InvalidTag:
        raise BrokenEnvelope("the envelope was changed, or is for another tenant or resource") from None
    return plain


def _aead(key: bytes) -> Any:
    # OpenSSL takes a moment to load: whoever calls is in a thread.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _canonical(context: dict[str, str]) -> bytes:
    return json.dumps(context, sort_keys=True, separators=(",", ":")).encode()
