"""Cold imports: each slice's entry point in a fresh process, beside a bare FastAPI + Mangum + aioboto3 application.

Our slices open AWS clients on first use, so a second figure goes on to the first answer, which needs one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.report import Report, median, progress
from bench.store import run, store
from infra.template import ROOT, environment, load, resources
from tests.integration.harness import request_event

ROUNDS = 11
TARGET = 1.3
# What the issue excepts: functions that load a heavy layer.
HEAVY = {"RetrievalLayer", "ModelLayer", "ChunkingLayer", "GitLayer"}

BARE = "bare FastAPI + Mangum + aioboto3"
BARE_CODE = """
import aioboto3
from fastapi import FastAPI
from mangum import Mangum
app = FastAPI()
session = aioboto3.Session()
@app.get("/items/{item_id}")
async def get_item(item_id: str) -> dict[str, str]:
    return {"id": item_id}
handler = Mangum(app, lifespan="off")
"""
BARE_ANSWER = """
import json
import os
import aioboto3
from fastapi import FastAPI
from mangum import Mangum
app = FastAPI()
session = aioboto3.Session()
@app.get("/api/v1/tenants/me")
async def get_tenant() -> dict[str, str]:
    async with session.client("dynamodb") as client:
        key = {"pk": {"S": "TENANT#" + os.environ["BENCH_TENANT"]}, "sk": {"S": "ITEM"}}
        answer = await client.get_item(TableName=os.environ["ALMANAC_TABLE"], Key=key, ConsistentRead=True)
    return {"name": answer["Item"]["name"]["S"]}
import asyncio
asyncio.set_event_loop(asyncio.new_event_loop())
assert Mangum(app, lifespan="off")(json.loads(os.environ["BENCH_EVENT"]), None)["statusCode"] == 200
"""
OUR_ANSWER = """
import json
import os
from identity.app import handler
assert handler(json.loads(os.environ["BENCH_EVENT"]), None)["statusCode"] == 200
"""
TIMED = """
import time
began = time.perf_counter()
exec(compile({code!r}, "entry", "exec"), {{}})
print("elapsed", time.perf_counter() - began)
"""


def entry_points() -> dict[str, tuple[str, bool]]:
    """Return each deployed function's import statement, and whether it answers the API without a heavy layer."""
    functions = resources(load(), "AWS::Serverless::Function")
    found = {}
    for name, properties in functions.items():
        module = properties["Handler"].rpartition(".")[0]
        heavy = any(layer["Ref"] in HEAVY for layer in properties["Layers"])
        found[name] = (f"import {module}", module.endswith(".app") and not heavy)
    return found


def milliseconds(code: str, variables: dict[str, str]) -> float:
    """Return how long `code` takes in a fresh interpreter; raises `CalledProcessError`."""
    path = os.pathsep.join(str(ROOT / part) for part in ("layers/core", "functions"))
    done = subprocess.run(
        [sys.executable, "-c", TIMED.format(code=code)],
        env={**os.environ, **variables, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(ROOT),
    )
    return float(done.stdout.rpartition("elapsed ")[2].split()[0]) * 1000


def variables(function: str) -> dict[str, str]:
    """Return the function's environment with stand-ins for what the template refers to."""
    given = {
        name: value if isinstance(value, str) else "stand-in" for name, value in environment(load(), function).items()
    }
    given |= {"ALMANAC_ALLOW_PRIVATE_HOSTS": "false", "ALMANAC_ISSUERS": "", "ALMANAC_EXTRA_ISSUERS": ""}
    return {**given, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


def compare(cases: dict[str, tuple[str, dict[str, str]]]) -> dict[str, list[float]]:
    """Return the milliseconds of each case, all cases in turn; a first round, which compiles, is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for round_number in range(ROUNDS + 1):
        for name, (code, given) in cases.items():
            elapsed = milliseconds(code, given)
            if round_number:
                taken[name].append(elapsed)
    return taken


def compare_answers() -> dict[str, list[float]]:
    """Return the milliseconds from nothing to the first answered request, which reads one item."""
    with store():
        from almanac import runtime
        from identity import wiring
        from identity.tenants import service as tenants

        tenant = run(tenants.create_with_key(wiring.table(), "Bench", "first key")).record.tenant_id
        run(runtime.clients().close())
        event = request_event("GET", "/api/v1/tenants/me", tenant=tenant)
        given = {"BENCH_EVENT": json.dumps(event), "BENCH_TENANT": tenant}
        return compare({BARE: (BARE_ANSWER, given), "IdentityFunction": (OUR_ANSWER, given)})


def main() -> None:
    entries = {name: entry for name, entry in entry_points().items() if _exists(entry[0])}
    cases: dict[str, tuple[str, dict[str, str]]] = {BARE: (BARE_CODE, {})}
    cases |= {name: (code, variables(name)) for name, (code, _) in entries.items()}
    progress(f"imports: {len(cases)} entry points, {ROUNDS} rounds")
    imports, answers = compare(cases), compare_answers()
    bare = median(imports[BARE])
    report = Report(
        "Cold imports",
        f"Wall time in a fresh interpreter, `.pyc` files warm: median of {ROUNDS}, all entry points in turn. The bare "
        "application imports FastAPI, Mangum and aioboto3 and declares one route. Ours load aioboto3 on first use: "
        "the last lines go on from the import to the first answer, with one item read from moto's server.",
        ["entry point", "median ms", "fastest ms", "ratio to bare"],
    )
    for kind, taken in (("", imports), ("first answer: ", answers)):
        peer = median(taken[BARE])
        for name, values in sorted(taken.items(), key=lambda pair: median(pair[1])):
            report.row(kind + name, f"{median(values):.0f}", f"{min(values):.0f}", f"{median(values) / peer:.2f}")
    light = {name: median(imports[name]) / bare for name, (_, is_light) in entries.items() if is_light}
    worst = max(light, key=lambda name: light[name])
    report.target(
        f"API slices without heavy layers: at most {TARGET}x bare",
        f"{light[worst]:.2f}x ({worst})",
        light[worst] <= TARGET,
    )
    report.finish()


def _exists(statement: str) -> bool:
    module = statement.removeprefix("import ")
    return (ROOT / "functions" / (module.replace(".", "/") + ".py")).exists()


if __name__ == "__main__":
    main()
