"""How soon a message or a push is found by search, on the deployed local stack, warm."""

import time

from almanac_cli.hooks import deliver
from almanac_cli.repositories import watch
from bench.deployed import Deployed, Host, deployed, git_host, rare_word
from bench.report import Report, percentile, progress

TRIES = 40
WARM = 4
PATIENCE_SECONDS = 60.0
TARGETS = {"p50": (0.5, 2.0), "p95": (0.95, 5.0)}


def until_found(stack: Deployed, project: str, kind: str, word: str) -> float:
    """Search until a hit of that kind shows the word; returns when it did, on the performance clock."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    body = {"q": word, "project": [project], "kind": [kind], "limit": 5}
    while time.perf_counter() < deadline:
        found = stack.api.post("/api/v1/search", body)
        now = time.perf_counter()
        if any(word in hit["excerpt"] for hit in found["items"]):
            return now
    raise RuntimeError(f"{kind} {word} was not found in {PATIENCE_SECONDS:.0f} s")


def messages(stack: Deployed, project: str) -> list[float]:
    """Return seconds from a message's 201 to the first search that finds it."""
    checkpoint = stack.api.post("/api/v1/checkpoints", {"project_id": project, "name": "Bench"})["id"]
    taken = []
    for _ in range(WARM + TRIES):
        word = rare_word()
        text = f"We decided on {word} because it keeps the queue short when many people write at once."
        stack.api.post("/api/v1/messages", {"checkpoint_id": checkpoint, "content": text})
        accepted = time.perf_counter()
        taken.append(until_found(stack, project, "message", word) - accepted)
    return taken[WARM:]


def pushes(stack: Deployed, project: str, host: Host) -> list[float]:
    """Return seconds from a push delivery's 202 to the first search that finds the new line of code."""
    host.push({f"src/module_{number}.py": _module(number, "first") for number in range(40)})
    repository = stack.api.post(f"/api/v1/projects/{project}/repositories", {"url": host.url})
    watch(stack.api, repository, 120.0, quiet=True)
    taken = []
    for number in range(WARM + TRIES):
        word = rare_word()
        host.push({f"src/module_{number % 40}.py": _module(number, word)})
        deliver(stack.api, stack.tenant_id, repository["id"], repository["webhook"]["secret"])
        accepted = time.perf_counter()
        taken.append(until_found(stack, project, "code", word) - accepted)
    return taken[WARM:]


def main() -> None:
    progress(f"freshness: {TRIES} messages, {TRIES} pushes")
    with deployed() as stack, git_host() as host:
        project = stack.project("freshness")
        taken = {"message": messages(stack, project), "push": pushes(stack, project, host)}
    report = Report(
        "From accepted to found",
        f"On the local stack, deployed from the template, warm: {TRIES} messages and {TRIES} pushes (one file of forty "
        "changes), one after another. From the 201 or 202 until a search, asked again without a pause, shows a word "
        "that only the new text has; everything between is real: stream, relay, queues, workers, git over HTTP.",
        ["seconds", "p50", "p95", "max"],
    )
    for name, values in taken.items():
        report.row(f"{name} -> found", *(f"{percentile(values, share):.2f}" for share in (0.5, 0.95, 1)))
        for label, (share, limit) in TARGETS.items():
            measured = percentile(values, share)
            report.target(f"{name}: {label} < {limit:.0f} s", f"{measured:.2f} s", measured < limit)
    report.finish()


def _module(number: int, word: str) -> str:
    body = f'    return f"{word} {{value + {number}}}"'
    return "\n".join([f'"""Module {number}."""', "", "", f"def compute_{number}(value: int) -> str:", body, ""])


if __name__ == "__main__":
    main()
