"""What is true of a job at a moment: whether it runs, how far it is, until when it may, and who hears of it."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from almanac.clock import iso
from documents.model import Counts, Document, DocumentState, Job, Part, Step, Upload

STALE_SECONDS = 120
"""A job of which nothing was heard for so long is sent on its way again."""
TELL_SECONDS = 1.0
PART_PAGES = 20
FIRST_PART_PAGES = 5
"""The first part is small: somebody waits for the first page."""
WINDOW = 8
"""So many parts of one document are read at once: one document does not keep the others waiting."""
_LATER = 2
"""Beyond the first window parts are so many times larger: all are busy by then, and each has a price of its own."""
_BASE_SECONDS = 900
_SECONDS_PER_MEGABYTE = 10
_SECONDS_PER_PAGE = 3
_SECONDS_PER_RECOGNISED_PAGE = 15
_PLANNED, _READ, _EMBEDDED, _ANALYSING = 5, 45, 40, 92


def deadline(started_at: str, size: int, pages: int = 0, *, ocr: bool = False) -> str:
    """Return when a job must have ended: generous for a slow model, and never open."""
    seconds_per_page = _SECONDS_PER_RECOGNISED_PAGE if ocr else _SECONDS_PER_PAGE
    seconds = _BASE_SECONDS + _SECONDS_PER_MEGABYTE * (size >> 20) + seconds_per_page * pages
    return iso(seconds_of(started_at) + seconds)


def seconds_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def running(document: Document | None, revision: int) -> Job | None:
    """Return the job of a revision if it is at work: not superseded, cancelled, ended or deleted.

    What restores or moves a document does so beside the state that it is in.
    """
    job = document.job if document is not None else None
    if document is None or job is None or job.revision != revision or job.step is Step.READY:
        return None
    beside = is_beside(job) and document.state is not DocumentState.DELETING
    return job if document.state is DocumentState.PROCESSING or beside else None


def is_beside(job: Job) -> bool:
    """Tell whether a job sends what is stored, and changes nothing of its document's state."""
    return job.reason in {"restore", "move"}


def due(job: Job | None, upload: Upload | None) -> str | None:
    """Return when the watchdog must look at a document with this running job and this expected upload."""
    times = [upload.expires_at] if upload is not None else []
    if job is not None:
        times += [job.deadline_at, iso(seconds_of(job.heartbeat_at) + STALE_SECONDS)]
    return min(times, default=None)


def later() -> str:
    """Return when something of which nothing is heard is to be sent on its way again."""
    return iso(time.time() + STALE_SECONDS)


def moved(document: Document, job: Job, **changes: Any) -> dict[str, Any]:
    """Return what to save of a document whose job got further: the job with a fresh heartbeat, and when it is due.

    The percentage follows from the counts and never goes back.
    """
    after = job.model_copy(update={**changes, "heartbeat_at": iso(time.time())})
    after = after.model_copy(update={"percent": max(job.percent, percent(after))})
    return {"job": after, "due_at": due(after, document.upload)}


def told(document: Document, changes: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Say whether to tell of a change, and note it: each step and each end, and what lies between once a second."""
    before, job = document.job, changes.get("job")
    state = changes.get("state", document.state)
    if job is None:
        return dict(changes), True
    passing = before is not None and (before.revision, before.step, document.state) == (job.revision, job.step, state)
    if passing and before is not None and before.told_at:
        recently = seconds_of(job.heartbeat_at) - seconds_of(before.told_at) < TELL_SECONDS
        if recently or before.counts == job.counts:
            return dict(changes), False
    return {**changes, "job": job.model_copy(update={"told_at": job.heartbeat_at})}, True


def percent(job: Job) -> int:
    """Return how far a job is, of what is known now."""
    if job.step in {Step.ANALYSING, Step.READY}:
        return 100 if job.step is Step.READY else _ANALYSING
    if not job.planned:
        return 0 if job.step is Step.UPLOADED else _PLANNED // 2
    counts = job.counts
    read = (counts.read + counts.bad) / counts.pages if counts.pages else 0.0
    embedded = counts.parts_indexed / counts.parts if counts.parts else 0.0
    return int(_PLANNED + _READ * min(read, 1.0) + _EMBEDDED * min(embedded, 1.0))


def plan(pages: int, *, ocr: bool = False) -> list[Part]:
    """Divide pages that are numbered from 1 into parts: small ones where pictures are read, which takes long."""
    starts = [1, *range(FIRST_PART_PAGES + 1, pages + 1, PART_PAGES)]
    if not ocr and len(starts) > WINDOW:
        starts = [*starts[:WINDOW], *range(starts[WINDOW], pages + 1, _LATER * PART_PAGES)]
    ends = [*(start - 1 for start in starts[1:]), pages]
    return [
        Part(part=number, first=first, last=last, offset=first - 1)
        for number, (first, last) in enumerate(zip(starts, ends, strict=True), start=1)
    ]


def settled(counts: Counts) -> bool:
    """Tell whether of all parts it is known whether they are searchable."""
    return counts.parts_read >= counts.parts and counts.parts_indexed + counts.parts_failed >= counts.parts
