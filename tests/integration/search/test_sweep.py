"""The sweep: it removes what no manifest names, in time, and can never remove anything else."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs, ObjectVersion
from almanac.aws.keys import Key
from almanac.aws.table import Update
from almanac.clock import iso
from almanac.events import SweepIndex
from almanac.index.sources import SourceRef
from almanac.index.sweep import GRACE_SECONDS, ORPHAN_SECONDS, Swept, sweep
from search import sweeper
from tests.integration.harness import Context
from tests.integration.search.test_compaction import compact, snapshot, state
from tests.integration.search.test_indexing import redeliver
from tests.integration.search.world import SLUG, World, blobs, run, table


def swept(world: World, later: float) -> Swept:
    found: Swept = run(sweep(table(), blobs(), world.tenant, at=time.time() + later))
    return found


def listed(world: World) -> list[ObjectVersion]:
    async def all_versions() -> list[ObjectVersion]:
        return [version async for version in blobs().versions(keys.indexes_prefix(world.tenant))]

    found: list[ObjectVersion] = run(all_versions())
    return found


def named(world: World) -> set[str]:
    current = snapshot(world).current
    assert current is not None
    return {keys.part_object(world.tenant, SLUG, current.sha256)}


def test_what_a_snapshot_replaced_goes_after_an_hour(world: World) -> None:
    for number in range(3):
        world.index(world.message(f"m{number}", "elephants"))
    compact(world)
    assert len(listed(world)) == 4
    assert swept(world, GRACE_SECONDS - 60).versions == 0
    assert swept(world, GRACE_SECONDS + 60).versions == 3
    assert {version.key for version in listed(world)} == named(world)
    assert len(world.search("elephants")) == 3


def test_an_upload_that_was_never_named_goes_after_a_day(world: World) -> None:
    world.index(world.message("one", "elephants"))
    run(blobs().put(keys.part_object(world.tenant, SLUG, "0" * 64), b"an upload of a compaction that died"))
    assert swept(world, ORPHAN_SECONDS - 60).versions == 0
    assert swept(world, ORPHAN_SECONDS + 60).versions == 1
    assert len(world.search("elephants")) == 1


def test_another_tenants_objects_are_none_of_its_business(world: World, neighbour: World) -> None:
    world.index(world.message("one", "elephants"))
    neighbour.index(neighbour.message("one", "elephants"))
    compact(neighbour)
    before = listed(neighbour)
    swept(world, 10 * ORPHAN_SECONDS)
    assert listed(neighbour) == before


@pytest.mark.parametrize("moment", ["before the manifest is read", "after it was read"])
def test_an_object_that_is_put_again_between_listing_and_deletion_survives(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    event = world.index(world.message("one", "elephants"))
    compact(world)
    (segment,) = [version.key for version in listed(world) if version.key not in named(world)]
    versions, delete = Blobs.versions, Blobs.delete_versions

    async def listing(self: Blobs, prefix: str) -> AsyncIterator[ObjectVersion]:
        async for version in versions(self, prefix):
            yield version
        if moment == "before the manifest is read":
            await put_again(world, event)

    async def deleting(self: Blobs, gone: Any) -> None:
        if moment == "after it was read":
            await put_again(world, event)
        await delete(self, gone)

    monkeypatch.setattr(Blobs, "versions", listing)
    monkeypatch.setattr(Blobs, "delete_versions", deleting)
    swept(world, GRACE_SECONDS + 60)
    assert segment in {version.key for version in run(gathered(versions(blobs(), keys.indexes_prefix(world.tenant))))}
    assert segment.rpartition("/")[2] in state(world).segments(SLUG)
    assert len(world.search("elephants")) == 1


async def put_again(world: World, event: Any) -> None:
    from almanac.index.ingest import Stores, index_batch
    from almanac.index.sources import SourceBatch
    from search import wiring

    body = await blobs().get(event.batch_key)
    assert body is not None
    stores = Stores(table(), blobs(), wiring.embedder_for, wiring.default_directory())
    await index_batch(SourceBatch.decode(body), event, stores)


async def gathered(several: AsyncIterator[ObjectVersion]) -> list[ObjectVersion]:
    return [each async for each in several]


def test_a_put_of_just_now_is_not_taken_for_what_was_replaced_long_ago(world: World) -> None:
    event = world.index(world.message("one", "elephants"))
    compact(world)
    redeliver(world, event)
    # Named or not, the new version is younger than any invocation is long.
    run(table().batch_delete([Key(f"TENANT#{world.tenant}#INDEX", f"LOG#{SLUG}#{name}") for name in log(world)]))
    newest = max(listed(world), key=lambda version: version.written_at)
    swept(world, 0)
    assert newest in listed(world)


def log(world: World) -> list[str]:
    return list(state(world).segments(SLUG))


def test_versions_without_an_id_are_left_where_the_bucket_keeps_none(world: World) -> None:
    old = keys.part_object(world.tenant, SLUG, "0" * 64)
    world.index(world.message("one", "elephants"))
    s3, suspended = world.stack.client("s3"), {"Status": "Suspended"}
    s3.put_bucket_versioning(Bucket="almanac", VersioningConfiguration=suspended)
    try:
        run(blobs().put(old, b"of a bucket without versions"))
        assert swept(world, ORPHAN_SECONDS + 60).versions == 0
    finally:
        s3.put_bucket_versioning(Bucket="almanac", VersioningConfiguration={"Status": "Enabled"})
    assert swept(world, ORPHAN_SECONDS + 60).versions == 1
    assert old not in {version.key for version in listed(world)}


def test_the_schedule_sweeps_each_tenant_once_a_day_and_compacts_what_chance_passed_over(
    world: World,
) -> None:
    world.index(world.message("one", "elephants"), world.message("two", "giraffes"))
    world.write(*world.manifest.hide([SourceRef(source_id="message:two", version=1)]))
    assert sweeper.handler({}, Context()) == {"tenants": 0}
    due = Update(keys.index_upkeep(world.tenant), set={"gsi2sk": iso(time.time() - 1)})
    run(table().write(due))
    assert sweeper.handler({}, Context()) == {"tenants": 1}
    assert sweeper.handler({}, Context()) == {"tenants": 0}
    world.stack.relay()
    assert world.stack.deliver("Index", milliseconds=900_000) == 1
    assert snapshot(world).current.rows == 1  # type: ignore[union-attr]
    assert state(world).tombstones == {}


def test_a_sweep_of_a_tenant_without_an_index_does_nothing(world: World) -> None:
    world.write(outbox.message(SweepIndex(tenant_id=world.tenant, correlation_id="c")))
    world.stack.relay()
    assert world.stack.deliver("Index", milliseconds=900_000) == 1
    assert world.stack.dead_letters("Index") == []
