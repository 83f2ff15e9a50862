"""What syncs are given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from almanac.aws.secrets import Secrets
from almanac.dependencies import Dependencies
from projects.sync.emit import StepLimits
from projects.sync.packs import MAX_PACK_BYTES


@dataclass(frozen=True)
class Tuning:
    """Times in seconds. `margin` is what an invocation keeps to give its work to the next one."""

    margin: float = 45
    look: float = 60
    fetch: float = 600
    pauses: tuple[float, ...] = (1, 4)
    pack_bytes: int = MAX_PACK_BYTES
    step: StepLimits = field(default_factory=StepLimits)


@dataclass(frozen=True)
class SyncDependencies(Dependencies):
    """What syncs need beside the stores. `cache` is a directory of this process's own."""

    secrets: Secrets
    allow_private_hosts: bool
    cache: Path
    clock: Callable[[], float]
    tuning: Tuning = field(default_factory=Tuning)
