"""The tenant that the current piece of work is for: the second wall's credentials are made out to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


def bind(tenant_id: str) -> None:
    """Work for this tenant until the end of the current task."""
    _tenant.set(tenant_id)


def bound() -> str | None:
    """Return the tenant that the current task works for, or None."""
    return _tenant.get()


@contextmanager
def working_for(tenant_id: str | None) -> Iterator[None]:
    """Work for a tenant until the block ends, or for none: for what serves several after another."""
    token = _tenant.set(tenant_id)
    try:
        yield
    finally:
        _tenant.reset(token)
