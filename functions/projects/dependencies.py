"""What the slice's API is given."""

from dataclasses import dataclass

from almanac.aws.secrets import Secrets
from almanac.dependencies import Dependencies


@dataclass(frozen=True)
class ApiDependencies(Dependencies):
    """What the API needs beside the stores. `public_url` has no trailing slash."""

    secrets: Secrets
    public_url: str
    allow_private_hosts: bool
