"""The logs of the local stack: functions through CloudWatch Logs, its own processes from their files."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local import deploy
from infra.local.errors import LocalError, NotRunning

POLL_SECONDS = 1.0
GROUP_PREFIX = f"/almanac/{deploy.STACK}/"


@dataclass(frozen=True)
class Line:
    """One line of a log; `at` in milliseconds since the epoch, 0 where the log does not tell."""

    source: str
    at: int
    text: str


def function_lines(endpoint_url: str, function: str | None, seconds: int, follow: bool) -> Iterator[Line]:
    """Yield a function's log lines of the last `seconds`, oldest first; of every function without a name."""
    logs = deploy.client("logs", deploy.port_of(endpoint_url))
    known = [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=GROUP_PREFIX)["logGroups"]]
    groups = [name for name in known if function in {None, name.removeprefix(GROUP_PREFIX)}]
    if not groups:
        names = ", ".join(sorted(name.removeprefix(GROUP_PREFIX) for name in known))
        raise LocalError(f"There is no function {function!r}.", f"Choose one of: {names}, ministack, edge.")
    start = int((time.time() - seconds) * 1000)
    seen: set[tuple[int, str, str, str]] = set()
    while True:
        events = [
            (event["timestamp"], group.removeprefix(GROUP_PREFIX), event["logStreamName"], event["message"])
            for group in groups
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
            for event in page["events"]
        ]
        for event in sorted(set(events) - seen):
            seen.add(event)
            yield Line(event[1], event[0], event[3].rstrip("\n"))
        if not follow:
            return
        time.sleep(POLL_SECONDS)


def process_lines(path: Path, follow: bool, last: int = 200) -> Iterator[Line]:
    """Yield the last lines of a process's log file, and what it appends when following."""
    if not path.exists():
        raise NotRunning(f"There is no log at {path}: the stack does not run here.", "Start it with 'almanac up'.")
    with path.open(errors="replace") as file:
        for text in file.readlines()[-last:]:
            yield Line(path.stem, 0, text.rstrip("\n"))
        while follow:
            text = file.readline()
            if text:
                yield Line(path.stem, 0, text.rstrip("\n"))
            else:
                time.sleep(POLL_SECONDS)
