"""Envelopes: they open for whom they were sealed, and for nobody else."""
# ruff: noqa: N803 - the client's own names

import asyncio
import secrets as randomness
import struct
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.aws.clients import Clients
from almanac.aws.secrets import BrokenEnvelope, Secrets, is_envelope


class Refused(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class Kms:
    """What KMS promises: a blob opens under its own key, with its own context. Counts what it is asked."""

    def __init__(self) -> None:
        self.blobs: dict[bytes, tuple[str, dict[str, str], bytes]] = {}
        self.calls: list[str] = []

    async def get(self, service: str) -> "Kms":
        assert service == "kms"
        return self

    def kept(self, key_id: str, context: dict[str, str], plain: bytes) -> bytes:
        blob = b"\x01\x02" + randomness.token_bytes(150)
        self.blobs[blob] = (key_id, context, plain)
        return blob

    async def generate_data_key(
        self,
        KeyId: str,
        KeySpec: str,
        EncryptionContext: dict[str, str],
    ) -> dict[str, bytes]:
        assert KeySpec == "AES_256"
        self.calls.append("generate_data_key")
        plain = randomness.token_bytes(32)
        return {"Plaintext": plain, "CiphertextBlob": self.kept(KeyId, EncryptionContext, plain)}

    async def decrypt(
        self,
        KeyId: str,
        CiphertextBlob: bytes,
        EncryptionContext: dict[str, str],
    ) -> dict[str, bytes]:
        self.calls.append("decrypt")
        if CiphertextBlob not in self.blobs:
            raise Refused("InvalidCiphertextException")
        key_id, context, plain = self.blobs[CiphertextBlob]
        if key_id != KeyId:
            raise Refused("IncorrectKeyException")
        if context != EncryptionContext:
            raise Refused("InvalidCiphertextException")
        return {"Plaintext": plain}


class World:
    def __init__(self) -> None:
        self.kms = Kms()
        self.time = 0.0
        self.secrets = self.under("key-1")

    def under(self, key_id: str, *former: str) -> Secrets:
        return Secrets(key_id, cast("Clients", self.kms), former, clock=lambda: self.time)

    def encrypt(self, plain: str, tenant: str = "ten_1", resource: str = "rep_1") -> bytes:
        return bytes(run(self.secrets.encrypt(plain, tenant_id=tenant, resource_id=resource)))

    def decrypt(self, cipher: bytes, tenant: str = "ten_1", resource: str = "rep_1") -> str:
        return str(run(self.secrets.decrypt(cipher, tenant_id=tenant, resource_id=resource)))


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@pytest.fixture
def world() -> World:
    return World()


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20_000))
def test_what_is_sealed_opens_again_whatever_its_length(plain: str) -> None:
    world = World()
    cipher = run(world.secrets.encrypt(plain, tenant_id="ten_1", resource_id="rep_1"))
    assert is_envelope(cipher)
    assert world.decrypt(cipher) == plain
    assert plain.encode() not in cipher or len(plain) < 4


def test_the_bytes_are_those_that_the_format_says(world: World) -> None:
    cipher = world.encrypt("hunter2")
    magic, version, length = struct.unpack_from(">4sBH", cipher)
    assert (magic, version, length) == (b"\0ALM", 1, 152)
    assert cipher[7 : 7 + length] in world.kms.blobs
    assert len(cipher) == 7 + length + 12 + len("hunter2") + 16


def test_two_envelopes_of_one_secret_share_no_key_and_no_nonce(world: World) -> None:
    assert world.encrypt("hunter2")[7:] != world.encrypt("hunter2")[7:]
    assert world.kms.calls == ["generate_data_key"] * 2


@pytest.mark.parametrize(("tenant", "resource"), [("ten_2", "rep_1"), ("ten_1", "rep_2")])
def test_an_envelope_does_not_open_for_another_tenant_or_resource(world: World, tenant: str, resource: str) -> None:
    cipher = world.encrypt("hunter2")
    with pytest.raises(Refused, match="InvalidCiphertextException"):
        world.decrypt(cipher, tenant, resource)


def test_the_context_binds_even_where_kms_would_not_look(world: World) -> None:
    cipher = world.encrypt("hunter2")
    blob = cipher[7 : 7 + 152]
    key_id, _, plain = world.kms.blobs[blob]
    world.kms.blobs[blob] = (key_id, {"tenant": "ten_2", "resource": "rep_1"}, plain)
    with pytest.raises(BrokenEnvelope):
        world.decrypt(cipher, "ten_2")


def test_any_changed_byte_is_noticed(world: World) -> None:
    cipher = world.encrypt("hunter2")
    for place in range(len(cipher)):
        changed = cipher[:place] + bytes([cipher[place] ^ 1]) + cipher[place + 1 :]
        with pytest.raises((BrokenEnvelope, Refused)):
            world.decrypt(changed)


def test_any_shortened_envelope_is_noticed(world: World) -> None:
    cipher = world.encrypt("hunter2")
    for length in range(len(cipher)):
        with pytest.raises((BrokenEnvelope, Refused)):
            world.decrypt(cipher[:length])


def test_what_kms_encrypted_directly_still_decrypts(world: World) -> None:
    old = world.kms.kept("key-1", {"tenant": "ten_1", "resource": "rep_1"}, b"hunter2")
    assert not is_envelope(old)
    assert world.decrypt(old) == "hunter2"


def test_a_secret_of_a_former_key_decrypts_and_is_wrapped_anew(world: World) -> None:
    old = world.encrypt("hunter2")
    world.secrets = world.under("key-2")
    with pytest.raises(Refused, match="IncorrectKeyException"):
        world.decrypt(old)
    world.secrets = world.under("key-2", "key-1")
    assert world.decrypt(old) == "hunter2"
    new = run(world.secrets.rewrapped(old, tenant_id="ten_1", resource_id="rep_1"))
    world.secrets = world.under("key-2")
    assert world.decrypt(new) == "hunter2"


def test_a_decrypted_secret_is_remembered_for_a_time_and_not_longer(world: World) -> None:
    cipher = world.encrypt("hunter2")
    world.decrypt(cipher)
    world.time = 299
    world.decrypt(cipher)
    assert world.kms.calls.count("decrypt") == 1
    world.time = 301
    world.decrypt(cipher)
    assert world.kms.calls.count("decrypt") == 2


def test_no_more_secrets_are_remembered_than_the_limit(world: World) -> None:
    ciphers = [world.encrypt(f"secret {number}") for number in range(257)]
    for cipher in ciphers:
        world.decrypt(cipher)
    world.decrypt(ciphers[-1])
    assert world.kms.calls.count("decrypt") == 257
    world.decrypt(ciphers[0])
    assert world.kms.calls.count("decrypt") == 258


def test_no_data_key_is_kept_and_no_error_tells_a_secret(world: World) -> None:
    cipher = world.encrypt("hunter2")
    world.decrypt(cipher)
    ((_, _, data_key),) = world.kms.blobs.values()
    assert data_key not in repr(vars(world.secrets)).encode() and data_key.hex() not in repr(vars(world.secrets))
    with pytest.raises(BrokenEnvelope) as error:
        world.decrypt(cipher[:-1])
    assert "hunter2" not in repr(error.value) and cipher.hex() not in repr(error.value)
