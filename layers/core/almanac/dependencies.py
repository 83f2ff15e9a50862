"""What the services and workers of slices that hold content are given."""

from dataclasses import dataclass, field
from functools import cached_property

from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.index.manifest import Manifest
from almanac.limits.quotas import Quotas, Usage


@dataclass(frozen=True)
class Dependencies:
    """The stores, and how much of them a tenant may use."""

    table: Table
    blobs: Blobs
    quotas: Quotas = field(default_factory=Quotas, kw_only=True)

    @cached_property
    def usage(self) -> Usage:
        """Return what remembers, for this process, whether tenants have room for more."""
        return Usage(self.table, self.quotas)

    def manifest(self, tenant_id: str) -> Manifest:
        return Manifest(self.table, tenant_id)
