"""The second wall on a real store: every kind of request carries the session of the tenant that its task works for."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from almanac import runtime, tenancy
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.clients import Clients
from almanac.aws.table import Put, Table
from almanac.ids import new_id
from tests.integration.harness import Stack

FIRST, SECOND = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h", "ten_01k9zq3v7m8x2c4b6n0d1f5g7j"
_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")


class Signers:
    """Whose session signed each request of a client, by the access key on the wire."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._tenants: dict[str, str] = {}

    async def watch(self, clients: Clients) -> None:
        for service in ("dynamodb", "s3"):
            (await clients.get(service)).meta.events.register("before-send", self._note)
        sts = await clients.get("sts")
        sts.meta.events.register("after-call.sts.AssumeRole", self._learn)
        sts.meta.events.register("before-parameter-build.sts.AssumeRole", self._asked)

    def tenants(self) -> list[tuple[str, str]]:
        return [(self._tenants.get(access_key, "nobody"), what) for access_key, what in self.seen]

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self._asking = params["RoleSessionName"]

    def _learn(self, parsed: dict[str, Any], **_: Any) -> None:
        name = parsed["AssumedRoleUser"]["Arn"].rpartition("/")[2]
        self._tenants[parsed["Credentials"]["AccessKeyId"]] = name

    def _note(self, request: Any, event_name: str, **_: Any) -> None:
        found = _ACCESS_KEY.search(str(request.headers["Authorization"]))
        assert found is not None
        self.seen.append((found[1], event_name.rpartition(".")[2]))


@pytest.fixture
def clients(stack: Stack) -> Iterator[Clients]:
    given = Clients(stack.environment["ALMANAC_DATA_ROLE_ARN"])
    yield given
    runtime.run(given.close())


@pytest.fixture
def signers(clients: Clients) -> Signers:
    given = Signers()
    runtime.run(given.watch(clients))
    return given


def _item(tenant: str, number: int) -> Put:
    return Put({**keys.outbox(tenant, f"{number:026d}").as_dict(), "entity": "test"}, overwrite=True)


def test_tenants_at_once_on_one_client_each_sign_with_their_own_session(clients: Clients, signers: Signers) -> None:
    table = Table("almanac", clients)

    async def work(tenant: str) -> None:
        tenancy.bind(tenant)
        for number in range(5):
            await table.write(_item(tenant, number))
        assert len([item async for item in table.query_all(f"TENANT#{tenant}#OUTBOX")]) == 5

    async def both() -> None:
        await asyncio.gather(work(FIRST), work(SECOND))

    runtime.run(both())
    assert sorted(set(signers.tenants())) == [
        (FIRST, "PutItem"),
        (FIRST, "Query"),
        (SECOND, "PutItem"),
        (SECOND, "Query"),
    ]


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
def test_an_upload_in_parts_a_download_and_every_page_of_a_listing_are_signed_for_the_tenant(
    clients: Clients, signers: Signers, tmp_path: Path
) -> None:
    blobs = Blobs("almanac", clients)
    prefix = f"tenants/{FIRST}/index/m/parts/"
    (tmp_path / "part").write_bytes(b"x" * 9_000_000)

    async def main() -> None:
        with tenancy.working_for(FIRST):
            await blobs.put_file(f"{prefix}1", str(tmp_path / "part"))
            await blobs.get_file(f"{prefix}1", str(tmp_path / "copy"))
            client = await clients.get("s3")
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket="almanac", Prefix="", PaginationConfig={"PageSize": 1}
            )
            assert len([page async for page in pages]) >= 1
            assert [key async for key in blobs.list(prefix)] == [f"{prefix}1"]

    runtime.run(main())
    assert (tmp_path / "copy").stat().st_size == 9_000_000
    assert {tenant for tenant, _ in signers.tenants()} == {FIRST}
    assert {"UploadPart", "CompleteMultipartUpload", "GetObject", "ListObjectsV2"} <= {
        what for _, what in signers.tenants()
    }


def test_work_for_no_tenant_is_signed_by_the_function_itself(clients: Clients, signers: Signers) -> None:
    runtime.run(Table("almanac", clients).get(keys.health()))
    assert signers.tenants() == [("nobody", "GetItem")]


class Forbidding:
    """A client of S3 whose role may list by prefix only: it answers 403 where there may be nothing."""

    def __init__(self, client: Any, code: str) -> None:
        self._client = client
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def get_object(self, **_: Any) -> Any:
        raise ClientError({"Error": {"Code": self._code, "Message": "Access Denied"}}, "GetObject")


class ForbiddingClients(Clients):
    code = "AccessDenied"

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        return Forbidding(await super().get(service), self.code)


@pytest.mark.parametrize("code", ["AccessDenied", "403"])
def test_a_forbidden_object_is_absent_only_where_a_listing_of_its_key_shows_none(
    stack: Stack, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ForbiddingClients, "code", code)
    prefix = f"tenants/{new_id('ten')}/messages/"
    stack.client("s3").put_object(Bucket="almanac", Key=f"{prefix}there", Body=b"x")
    stack.client("s3").put_object(Bucket="almanac", Key=f"{prefix}longer-name", Body=b"x")
    clients = ForbiddingClients()
    blobs = Blobs("almanac", clients)

    async def main() -> None:
        assert await blobs.get(f"{prefix}gone") is None
        # Another object's key begins with this one.
        assert await blobs.get(f"{prefix}longer") is None
        assert await blobs.get_version(f"{prefix}there", "no-such-version") is None
        with pytest.raises(ClientError):
            await blobs.get(f"{prefix}there")
        (version,) = [v async for v in blobs.versions(f"{prefix}there")]
        with pytest.raises(ClientError):
            await blobs.get_version(version.key, version.version_id)

    runtime.run(main())
    runtime.run(Clients.close(clients))
