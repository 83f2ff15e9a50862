"""Secrets at rest: encrypted under the stack's KMS key, bound to tenant and resource by encryption context."""

from collections import OrderedDict

from almanac.aws.clients import Clients

_CACHE_LIMIT = 256


class Secrets:
    """Encrypts and decrypts short secrets (at most 4 KB). Decrypted ones stay in memory for the environment's life."""

    def __init__(self, key_id: str, clients: Clients) -> None:
        self._key_id = key_id
        self._clients = clients
        self._decrypted: OrderedDict[tuple[bytes, str, str], str] = OrderedDict()

    async def encrypt(self, plain: str, *, tenant_id: str, resource_id: str) -> bytes:
        """Return the ciphertext, which only decrypts for the same tenant and resource."""
        client = await self._clients.get("kms")
        answer = await client.encrypt(
            KeyId=self._key_id, Plaintext=plain.encode(), EncryptionContext=_context(tenant_id, resource_id)
        )
        return bytes(answer["CiphertextBlob"])

    async def decrypt(self, cipher: bytes, *, tenant_id: str, resource_id: str) -> str:
        """Return the plain secret."""
        cached = (cipher, tenant_id, resource_id)
        if cached in self._decrypted:
            self._decrypted.move_to_end(cached)
            return self._decrypted[cached]
        client = await self._clients.get("kms")
        answer = await client.decrypt(
            KeyId=self._key_id, CiphertextBlob=cipher, EncryptionContext=_context(tenant_id, resource_id)
        )
        plain = bytes(answer["Plaintext"]).decode()
        self._decrypted[cached] = plain
        while len(self._decrypted) > _CACHE_LIMIT:
            self._decrypted.popitem(last=False)
        return plain


def _context(tenant_id: str, resource_id: str) -> dict[str, str]:
    return {"tenant": tenant_id, "resource": resource_id}
