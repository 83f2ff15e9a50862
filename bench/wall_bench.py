"""What credentials made out to a tenant add to a read of the table: nothing when warm, one call to STS when cold."""

import time

from bench.report import Report, median, percentile, progress
from bench.store import StoreWait, logs_aside, run, store

CALLS = 2000
WARM = 200
COLD = 200
TARGET_MS = 0.05

Pairs = list[tuple[float, float]]


async def measure() -> tuple[Pairs, Pairs, Pairs]:
    """Return (whole, own) milliseconds of reads without and behind the wall, and of first reads of tenants."""
    from almanac import tenancy
    from almanac.aws import keys
    from almanac.aws.clients import Clients
    from almanac.aws.table import Table
    from almanac.ids import new_id
    from almanac.settings import WallSettings

    plain, walled = Clients(), Clients(WallSettings.load().data_role_arn)
    wait = StoreWait()
    tenant = new_id("ten")

    async def read(clients: Clients, tenant_id: str) -> tuple[float, float]:
        wait.seconds, began = 0.0, time.perf_counter()
        with tenancy.working_for(tenant_id):
            await Table("almanac", clients).get(keys.tenant(tenant_id))
        seconds = time.perf_counter() - began
        return seconds * 1000, (seconds - wait.seconds) * 1000

    without: Pairs = []
    behind: Pairs = []
    with wait.counting(), logs_aside():
        for _ in range(WARM + CALLS):
            without.append(await read(plain, tenant))
            behind.append(await read(walled, tenant))
        cold = [await read(walled, new_id("ten")) for _ in range(COLD)]
    await plain.close()
    await walled.close()
    return without[WARM:], behind[WARM:], cold


def main() -> None:
    progress(f"wall: {CALLS} reads each, {COLD} first reads")
    with store():
        without, behind, cold = run(measure())
    report = Report(
        "The second wall",
        "A consistent read of one item: under the function's own credentials and under a tenant's session that is held "
        f"({CALLS} reads each, in turn, one process, warm), and the first read of {COLD} tenants, each of which has "
        "STS make out a session. Own time leaves out waiting for the store, moto's server in another process, which "
        "also plays STS: on AWS the wait of a first read is that of a call to STS.",
        ["milliseconds", "own p50", "own p99", "whole p50", "whole p99"],
    )
    for name, pairs in {"own credentials": without, "a tenant's, held": behind, "a tenant's first": cold}.items():
        whole, own = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures = (median(own), percentile(own, 0.99), median(whole), percentile(whole, 0.99))
        report.row(name, *(f"{figure:.2f}" for figure in figures))
    added = median([own for _, own in behind]) - median([own for _, own in without])
    report.target(f"a warm call gains < {TARGET_MS} ms", f"{added:.3f} ms own (medians)", added < TARGET_MS)
    report.finish()


if __name__ == "__main__":
    main()
