"""From what the manifest and the parts say to what callers see of indexes."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from almanac.index import manifest
from search.indexes import schemas
from search.indexes.builds import Build
from search.indexes.service import Listed

if TYPE_CHECKING:
    from almanac.index.containers import Hidden
    from search.indexes.opening import Opened


def index(listed: Listed) -> schemas.Index:
    """Render an index."""
    info = listed.info
    return schemas.Index(
        id=info.id,
        model=info.model,
        state=info.state,
        shards=info.shards,
        created_at=info.created_at or None,
        served_until=info.served_until or None,
        build=_build(listed.build) if listed.build else None,
    )


def status(
    state: manifest.ManifestState, opened: "Opened | None", others: list[Listed], hidden: "Hidden"
) -> schemas.IndexStatus:
    """Render the index that serves; what only its parts can tell is left out where they cannot be read.

    What lies in the index without being found is not told to whom projects are hidden.
    """
    info = state.directory.serving
    log = state.segments(info.id).values()
    heads = dict(sorted(hidden.heads(state).items()))
    lost = [schemas.LostPart(sha256=each.sha256, reason=each.reason, at=each.at) for each in _lost(state, info.id)]
    return schemas.IndexStatus(
        id=info.id,
        model=info.model,
        shards=info.shards,
        readable=opened is not None,
        lost=lost,
        chunks=opened.rows if opened else None,
        unembedded=opened.unembedded if opened else None,
        superseded=sum(part.rows for part in opened.parts) - opened.rows if opened and not hidden.projects else None,
        history=sum(part.rows for part in opened.history) if opened and not hidden.projects else None,
        awaiting=len(hidden.awaited(state.awaiting.values())),
        log=schemas.Log(
            segments=len(log), rows=sum(entry.rows for entry in log), bytes=sum(entry.size for entry in log)
        ),
        snapshots=[_snapshot(snapshot) for _, snapshot in sorted(state.snapshots.get(info.id, {}).items())],
        repositories={
            name: schemas.Standing(commit=head.commit, branch=head.branch, run=head.run) for name, head in heads.items()
        },
        others=[index(listed) for listed in others],
    )


def _lost(state: manifest.ManifestState, index_id: str) -> list[manifest.Lost]:
    return [each for _, each in sorted(state.lost.items()) if each.index_id == index_id]


def _build(build: Build) -> schemas.Build:
    error = None
    if build.error_code is not None:
        error = schemas.BuildError(code=build.error_code, cause=build.error_cause or "", at=build.error_at)
    fields = {name: getattr(build, name) for name in schemas.Build.model_fields if name not in {"origin", "error"}}
    return schemas.Build.model_validate({**fields, "from": build.origin, "error": error})


def _snapshot(snapshot: manifest.Snapshot) -> schemas.Snapshot:
    age = None
    if snapshot.at:
        age = max(0, round((datetime.now(UTC) - datetime.fromisoformat(snapshot.at)).total_seconds()))
    current = snapshot.current
    return schemas.Snapshot(
        shard=snapshot.shard,
        generation=snapshot.generation,
        at=snapshot.at or None,
        age_seconds=age,
        rows=current.rows if current else 0,
        bytes=current.size if current else 0,
        history_rows=sum(part.rows for part in snapshot.history),
    )
