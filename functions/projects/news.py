"""What is told of repositories and messages to who follows them or their project: a handful of events per sync run."""

from typing import Any

from almanac.aws import outbox
from almanac.aws.table import Put
from almanac.clock import iso
from almanac.events import Happened
from almanac.ids import new_ulid
from projects.model import Message, RepositoryRecord, RepositoryState, SyncError


def repository(
    tenant_id: str,
    correlation_id: str,
    record: RepositoryRecord,
    state: RepositoryState,
    now: float,
    *,
    error: SyncError | None = None,
    **progress: Any,
) -> Put:
    """Return the write that tells how a repository stands from the transaction on that holds it.

    Its version is the time: one worker at a time holds the repository's lease.
    """
    deleted = state is RepositoryState.DELETING
    data = {
        "repository_id": record.id,
        "project_id": record.project_id,
        "name": record.name,
        "state": "deleted" if deleted else state.value,
        "error": error.model_dump() if error else None,
        **progress,
    }
    return outbox.message(
        Happened(
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            event_id=new_ulid(),
            type="repository.deleted" if deleted else "repository.changed",
            topics=(f"repository:{record.id}", f"project:{record.project_id}"),
            resource_id=record.id,
            resource_version=int(now * 1000),
            owners=(record.project_id,),
            at=iso(now),
            data=data,
        )
    )


def message(tenant_id: str, correlation_id: str, record: Message, state: str, now: float, **more: Any) -> Put:
    """Return the write that tells that a version of a message became searchable, or never will."""
    data = {
        "message_id": record.id,
        "checkpoint_id": record.checkpoint_id,
        "project_id": record.project_id,
        "version": record.version,
        **more,
    }
    return outbox.message(
        Happened(
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            event_id=new_ulid(),
            type=f"message.{state}",
            topics=(f"project:{record.project_id}",),
            resource_id=record.id,
            resource_version=record.version,
            owners=(record.project_id,),
            at=iso(now),
            data=data,
        )
    )


def is_told(batch: int) -> bool:
    """Tell whether a run's progress is told when this batch is indexed: ever more rarely, however long the run is."""
    return batch > 0 and batch & (batch - 1) == 0
