"""The webhook handler's own time: signed pushes through the real handler, with moto's server as the store."""

import json
import time

from bench.report import Report, median, percentile, progress
from bench.store import StoreWait, logs_aside, run, store

CALLS = 600
WARM = 30
SECRET = "benchmark secret"  # noqa: S105 - of a repository that lives for one minute
TARGET_MS = 30.0


def measure() -> tuple[list[float], list[float]]:
    """Return each call's whole time and its own (without waiting for the store), in milliseconds."""
    from almanac import runtime
    from almanac.aws import keys
    from almanac.aws.secrets import Secrets
    from almanac.aws.table import Put, Table
    from almanac.ids import new_id
    from tests.integration.harness import Context, request_event
    from webhooks.app import handler
    from webhooks.github import sign
    from webhooks.wiring import WebhookSettings

    settings, clients = WebhookSettings.load(), runtime.clients()
    tenant, repository = new_id("ten"), new_id("rep")
    cipher = run(Secrets(settings.key_id, clients).encrypt(SECRET, tenant_id=tenant, resource_id=repository))
    hook = {**keys.hook(tenant, repository).as_dict(), "entity": "hook", "secrets_cipher": [cipher]}
    run(Table(settings.table, clients).write(Put(hook)))

    path = f"/api/v1/webhooks/github/{tenant}/{repository}"
    payload = {"ref": "refs/heads/main", "commits": [{"id": "0" * 40, "message": "x" * 200}] * 20}
    whole, own = [], []
    wait = StoreWait()
    with wait.counting(), logs_aside():
        for call in range(WARM + CALLS):
            body = json.dumps({**payload, "after": f"{call:040x}"}).encode()
            headers = {"x-hub-signature-256": sign(SECRET, body), "x-github-event": "push"}
            event = request_event("POST", path, body, headers={**headers, "x-github-delivery": f"{call:032x}"})
            wait.seconds, began = 0.0, time.perf_counter()
            answer = handler(event, Context())
            seconds = time.perf_counter() - began
            assert answer["statusCode"] == 202, answer
            if call >= WARM:
                whole.append(seconds * 1000)
                own.append((seconds - wait.seconds) * 1000)
    run(clients.close())
    return whole, own


def main() -> None:
    progress(f"webhooks: {CALLS} signed pushes")
    with store():
        whole, own = measure()
    report = Report(
        "Webhook handler",
        f"{CALLS} distinct signed GitHub pushes of 6 KB, one after another through `webhooks.app.handler`, warm; "
        "the store is moto's server in another process. Own time is the whole less the time between handing a request "
        "to the network and holding its answer (one read, one transaction).",
        ["milliseconds", "p50", "p95", "p99", "max"],
    )
    for name, values in (("own time", own), ("whole, with the store", whole)):
        report.row(name, *(f"{percentile(values, share):.2f}" for share in (0.5, 0.95, 0.99, 1)))
    p99 = percentile(own, 0.99)
    report.target(f"own time p99 < {TARGET_MS:.0f} ms", f"{p99:.2f} ms (p50 {median(own):.2f})", p99 < TARGET_MS)
    report.finish()


if __name__ == "__main__":
    main()
