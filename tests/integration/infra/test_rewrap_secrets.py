"""Replacing the KMS key: every secret opens under the new one, and nothing else changes."""

import asyncio

import pytest

from almanac.aws import keys
from almanac.aws.clients import Clients
from almanac.aws.secrets import Secrets, is_envelope
from almanac.aws.table import Put, Table
from infra import rewrap_secrets
from tests.integration.harness import Stack

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"


def test_secrets_of_every_sort_open_under_the_new_key_afterwards(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    kms = stack.client("kms")
    old, new = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    context = {"tenant": TENANT, "resource": "rep_1"}
    direct = kms.encrypt(KeyId=old, Plaintext=b"before envelopes", EncryptionContext=context)["CiphertextBlob"]

    async def run() -> None:
        clients = Clients()
        table, before = Table("almanac", clients), Secrets(old, clients)

        async def sealed(plain: str, resource: str) -> bytes:
            return await before.encrypt(plain, tenant_id=TENANT, resource_id=resource)

        hook = keys.hook(TENANT, "rep_1")
        provider, finding = keys.provider_key(TENANT, "openai"), keys.finding_key(TENANT)
        repository = keys.repository(TENANT, "rep_1")
        for key, entity, values in (
            (repository, "repository", {"token_cipher": await sealed("token", "rep_1")}),
            (hook, "hook", {"secrets_cipher": [await sealed("current", "rep_1"), bytes(direct)]}),
            (provider, "provider_key", {"provider": "openai", "cipher": await sealed("key", "provider:openai")}),
            (finding, "finding_key", {"cipher": await sealed("hmac", "findings")}),
        ):
            await table.write(Put({**key.as_dict(), "entity": entity, "kept": 1, **values}, overwrite=True))
        assert (await rewrap_secrets._run("almanac", old, new)).wrapped >= 4
        after = Secrets(new, clients)

        async def opened(cipher: bytes, resource: str) -> str:
            assert is_envelope(cipher)
            return await after.decrypt(cipher, tenant_id=TENANT, resource_id=resource)

        items = [await table.get(key) for key in (repository, hook, provider, finding)]
        found = [item for item in items if item is not None]
        assert [item["kept"] for item in found] == [1] * 4
        assert await opened(found[0]["token_cipher"], "rep_1") == "token"
        assert [await opened(each, "rep_1") for each in found[1]["secrets_cipher"]] == ["current", "before envelopes"]
        assert await opened(found[2]["cipher"], "provider:openai") == "key"
        assert await opened(found[3]["cipher"], "findings") == "hmac"
        for key in (repository, hook, provider, finding):
            await table.batch_delete([key])
        await clients.close()

    asyncio.run(run())


def test_nothing_is_written_without_a_yes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["rewrap_secrets", "--table", "almanac", "--to", "key"])
    assert rewrap_secrets.main() == 2
    assert "--yes" in capsys.readouterr().err
