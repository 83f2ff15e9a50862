"""Rate limits of calls: who spends of which buckets, and what an answer says of them.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-10: `q` calls in `w` seconds; `r`
are left, and `t` seconds from now all of them are there again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from almanac import runtime
from almanac.access import Person, Principal
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.errors import AppError
from almanac.limits.limiter import Limiter, Shelf, Standing
from almanac.limits.windows import Bucket, Policy
from almanac.observability import emit
from almanac.settings import RateSettings

if TYPE_CHECKING:
    from fastapi import Request

STATE = "rate_limit"
"""Where a request's state holds the headers of its answer."""
_HOUR = 3600
_IPV6_PREFIX = 64
"""What one subscriber has of addresses at least: single ones cost nothing to change."""


class RateLimited(AppError):
    """Too many calls in too short a time; `Retry-After` says when there is room again."""

    status = 429
    code = "rate_limited"
    title = "Too many requests"


@cache
def settings() -> RateSettings:
    return RateSettings.load()


@cache
def limiter() -> Limiter:
    return Limiter(Table(settings().table, runtime.clients()))


async def admit(request: "Request", principal: Principal) -> None:
    """Spend a call of the tenant's bucket and of the caller's own, or of neither; raises `RateLimited`."""
    await _spend(request, _shelves(principal))


async def admit_frame(principal: Principal) -> None:
    """Spend a frame that came over a WebSocket, as `admit` does a call; raises `RateLimited`."""
    await _spend(None, _shelves(principal))


async def admit_person(request: "Request", person: Person) -> None:
    """Spend a call of a person who acts in no tenant; raises `RateLimited`."""
    given = settings()
    policy = Policy.per_minute("actor", given.actor_rate, given.actor_burst)
    await _spend(request, [_shelf("person", person.id, policy)] if policy else [])


async def spend_anonymous(request: "Request", *, email: str | None = None) -> None:
    """Spend a call of the address that a request comes from, and of the e-mail it is about; raises `RateLimited`.

    The e-mail's bucket keeps many addresses from trying one account's passwords; it is spent first, so that whoever is
    refused there has not used up the address of a shared network.
    """
    given = settings()
    shelves = []
    if email is not None and (policy := Policy.per_minute("email", given.email_rate, given.email_burst)):
        shelves.append(_shelf("email", email.strip().lower(), policy))
    if policy := Policy.per_minute("address", given.address_rate, given.address_burst):
        shelves.append(_shelf("address", network_of(_address(request)), policy))
    await _spend(request, shelves)


def network_of(address: str) -> str:
    """Return what is limited as one: an IPv4 address, the /64 of an IPv6 one, or the text that is neither."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)


def _shelves(principal: Principal) -> list[Shelf]:
    given = settings()
    if not (given.tenant_rate or given.actor_rate):
        return []
    return [Shelf(keys.limits(principal.tenant_id), partial(_of_tenant, given, principal.actor_id))]


def _of_tenant(given: RateSettings, actor_id: str, item: Mapping[str, Any]) -> list[Bucket]:
    """Return the buckets of a call in a tenant: by the operator's limits in the item, else by the deployment's."""
    tenant = _policy(given, item, "tenant")
    actor = _policy(given, item, "actor")
    return [Bucket(owner, policy) for owner, policy in (("tenant", tenant), (actor_id, actor)) if policy]


def _policy(given: RateSettings, item: Mapping[str, Any], name: str) -> Policy | None:
    rate, burst = (item.get(field, getattr(given, field)) for field in (f"{name}_rate", f"{name}_burst"))
    return Policy.per_minute(name, rate, burst)


def _shelf(kind: str, who: str, policy: Policy) -> Shelf:
    """Return the item of somebody outside every tenant; it holds a hash, for a while."""
    key = keys.caller(sha256(f"{kind}:{who}".encode()).hexdigest())
    return Shelf(key, _always([Bucket("calls", policy)]), lifetime=2 * policy.window // 1000 + _HOUR)


def _always(buckets: Sequence[Bucket]) -> Callable[[Mapping[str, Any]], Sequence[Bucket]]:
    return lambda _: buckets


async def _spend(request: "Request | None", shelves: Sequence[Shelf]) -> None:
    standings: list[Standing] = []
    try:
        for shelf in shelves:
            standing = await limiter().spend(shelf)
            standings.append(standing)
            if standing.wait:
                raise _refusal(standing)
    finally:
        shown = headers(standings)
        if shown and request is not None:
            setattr(request.state, STATE, shown)


def _refusal(standing: Standing) -> RateLimited:
    seconds = math.ceil(standing.wait / 1000)
    slowest = max(standing.levels, key=lambda level: level.wait(standing.at))
    emit({"RateLimited": (1, "Count")}, policy=slowest.policy.name)
    error = RateLimited(f"Too many calls: try again in {seconds} s.")
    error.headers["retry-after"] = str(seconds)
    return error


def headers(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """Return the fields that tell where a caller stands; none where no bucket was looked at."""
    levels = [(level, standing.at) for standing in standings for level in standing.levels]
    if not levels:
        return []
    left = [
        f'"{level.policy.name}";r={max(0, level.left(at))};t={math.ceil(level.full(at) / 1000)}' for level, at in levels
    ]
    given = [
        f'"{level.policy.name}";q={level.policy.burst};w={math.ceil(level.policy.window / 1000)}' for level, _ in levels
    ]
    return [(b"ratelimit", ", ".join(left).encode()), (b"ratelimit-policy", ", ".join(given).encode())]


def _address(request: "Request") -> str:
    event = request.scope.get("aws.event", {})
    return str(event.get("requestContext", {}).get("http", {}).get("sourceIp", ""))
