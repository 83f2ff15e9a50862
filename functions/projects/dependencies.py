"""What the slice's services and workers are given."""

from dataclasses import dataclass

from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.index.manifest import Manifest


@dataclass(frozen=True)
class Dependencies:
    """The stores."""

    table: Table
    blobs: Blobs

    def manifest(self, tenant_id: str) -> Manifest:
        return Manifest(self.table, tenant_id)


@dataclass(frozen=True)
class ApiDependencies(Dependencies):
    """What the API needs beside the stores. `public_url` has no trailing slash."""

    secrets: Secrets
    public_url: str
    allow_private_hosts: bool
