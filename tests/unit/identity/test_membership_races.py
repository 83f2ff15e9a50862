"""Whatever members decide at the same time, in whatever order, the tenant's books agree and an owner is left."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.access import ROLES, Person, Principal, Role
from almanac.aws import keys
from almanac.aws.table import Put, Table, plain
from almanac.errors import AppError
from almanac.ids import person_id
from identity.tenants import invitations, membership
from identity.tenants.mail import Post
from identity.tenants.member_repository import MemberRepository
from identity.tenants.model import Member, Membership, TenantRecord
from tests.support.memory import MemoryStore, RefusedWrite

TENANT = TenantRecord("ten_01k9zq3v7m8x2c4b6n0d1f5g7h", "Acme", "2026-01-01T00:00:00.000Z", b"secret")
PEOPLE = [person_id("issuer", str(number)) for number in range(5)]

numbers = st.integers(0, len(PEOPLE) - 1)
roles = st.sampled_from(Role)
# What somebody decides, about whom, and the role that it takes to be right about itself.
decisions = st.tuples(
    st.sampled_from(["change", "remove", "leave", "transfer", "invite"]), numbers, numbers, roles, st.none() | roles
)


class ConflictingStore(MemoryStore):
    """Refuses a transaction now and then as DynamoDB does when two meet."""

    def __init__(self, drawn: Random) -> None:
        super().__init__()
        self.pauses = lambda: drawn.randint(0, 4)
        self._drawn = drawn

    def call(self, effect: Callable[[], Any]) -> Any:
        if effect.__qualname__.startswith("_Dynamo.transact") and self._drawn.random() < 0.1:
            reasons = [{"Code": "TransactionConflict"}]
            raise RefusedWrite("TransactionCanceledException", CancellationReasons=reasons)
        return super().call(effect)


def address(number: int) -> str:
    return f"{number}@example.org"


async def begin(table: Table, given: list[Role]) -> None:
    """Write a tenant with these members, the first of whom is an owner."""
    owners = given.count(Role.OWNER)
    await table.write(Put(TENANT.to_item(admin_keys=0, owners=owners)))
    for number, role in enumerate(given):
        member = Member(TENANT.id, PEOPLE[number], address(number), "", role, TENANT.created_at)
        await table.write(Put(member.to_item()))
        await table.write(Put(Membership.of(member, TENANT).to_item()))


def books(store: MemoryStore) -> dict[str, str]:
    """Return every member's role, after all that tells of it was found to agree."""
    items = [plain(item) for item in store.items.values()]
    members = {item["person_id"]: item["role"] for item in items if item["entity"] == "member"}
    copies = {item["pk"].split("#")[1]: item["role"] for item in items if item["entity"] == "person_tenant"}
    (tenant,) = (item for item in items if item["entity"] == "tenant")
    assert members == copies
    assert tenant["owners"] == list(members.values()).count("owner")
    return members


def decide(
    table: Table, given: list[Role], decision: tuple[str, int, int, Role, Role | None]
) -> Coroutine[Any, Any, Any]:
    """Return one call, by somebody whose role may have been `assumed` from an earlier time."""
    what, own, other, role, assumed = decision
    as_role = assumed or (given[own] if own < len(given) else Role.VIEWER)
    principal = Principal(TENANT.id, PEOPLE[own], ROLES[as_role], role=as_role)
    repository = MemberRepository(table, TENANT.id)
    match what:
        case "change":
            return membership.change_role(repository, principal, PEOPLE[other], role, 1)
        case "remove":
            return membership.remove(repository, principal, PEOPLE[other])
        case "leave":
            return membership.leave(repository, principal)
        case "transfer":
            return membership.transfer(repository, principal, PEOPLE[other])
    return invite_and_accept(table, principal, other, role)


async def invite_and_accept(table: Table, principal: Principal, other: int, role: Role) -> None:
    sent = await invitations.invite(table, Post(MemoryStore(), ""), principal, address(other), role, 7)
    person = Person(PEOPLE[other], address(other))
    accepts = (invitations.accept(table, person, sent.token or "", lambda _: []) for _ in range(2))
    await asyncio.gather(*map(refusable, accepts))


async def refusable(call: Awaitable[Any]) -> AppError | None:
    """Let a call be refused, but only in a way that its caller understands."""
    try:
        await call
    except AppError as refusal:
        return refusal
    return None


@settings(max_examples=150, deadline=None)
@given(
    others=st.lists(roles, max_size=len(PEOPLE) - 1),
    calls=st.lists(decisions, min_size=1, max_size=8),
    seed=st.integers(0, 1 << 32),
)
def test_decisions_at_once_leave_the_books_in_agreement_and_an_owner_in_the_tenant(
    others: list[Role], calls: list[tuple[str, int, int, Role, Role | None]], seed: int
) -> None:
    given_roles = [Role.OWNER, *others]
    store = ConflictingStore(Random(seed))
    table = Table("almanac", store)

    async def run() -> None:
        quiet, store.pauses = store.pauses, None
        await begin(table, given_roles)
        store.pauses = quiet
        await asyncio.gather(*(refusable(decide(table, given_roles, call)) for call in calls))

    asyncio.run(run())
    assert "owner" in books(store).values()


@settings(max_examples=50, deadline=None)
@given(
    stale=st.sampled_from([role for role in Role if role is not Role.OWNER]), assumed=roles, calls=st.lists(decisions)
)
def test_who_only_believes_to_have_a_role_changes_nothing_with_it(
    stale: Role, assumed: Role, calls: list[tuple[str, int, int, Role, Role | None]]
) -> None:
    """The authorizer's word is old: member 1 has become `stale` since it was `assumed`."""
    if assumed is stale:
        return
    given_roles = [Role.OWNER, stale, Role.MEMBER, Role.ADMIN]
    store = MemoryStore()
    table = Table("almanac", store)

    async def run() -> dict[str, str]:
        await begin(table, given_roles)
        before = books(store)
        for what, _, other, role, _ in calls:
            if what != "leave":
                await refusable(decide(table, given_roles, (what, 1, other, role, assumed)))
        return before

    before = asyncio.run(run())
    assert books(store) == before


def test_the_books_of_a_fresh_tenant_agree() -> None:
    store = MemoryStore()
    asyncio.run(begin(Table("almanac", store), [Role.OWNER, Role.VIEWER]))
    assert books(store) == {PEOPLE[0]: "owner", PEOPLE[1]: "viewer"}
    assert plain(store.items[keys.tenant(TENANT.id)])["owners"] == 1
