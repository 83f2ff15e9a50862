"""Many calls at once about the same members, each through the slice's whole application."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from httpx import ASGITransport
from starlette.types import Receive, Scope, Send

from almanac import runtime
from almanac.access import Caller, Role
from almanac.ids import new_id
from tests.integration.harness import Stack, request_event
from tests.integration.identity.test_invitations import invite, signed_in
from tests.integration.identity.test_members import id_of, roles

PARALLEL = 200

Call = tuple[Caller, str, str, Any]


def at_once(calls: Sequence[Call]) -> list[httpx.Response]:
    """Send calls (caller, method, path, body) all at once; a handler takes one at a time, as an environment does."""
    from identity.app import app

    async def call(caller: Caller, method: str, path: str, body: Any) -> httpx.Response:
        event = request_event(method, path, body, caller=caller)

        async def vouched(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "aws.event": event}, receive, send)

        async with httpx.AsyncClient(transport=ASGITransport(vouched), base_url="http://api.test") as client:
            return await client.request(method, path, json=body)

    async def together() -> list[httpx.Response]:
        return await asyncio.gather(*(call(*each) for each in calls))

    return runtime.run(together())


def accepting(callers: Sequence[Caller], token: str) -> list[Call]:
    return [(caller, "POST", "/api/v1/invitations/accept", {"token": token}) for caller in callers]


def outcomes(answers: Sequence[httpx.Response]) -> Counter[str]:
    return Counter(str(answer.json()["code"]) if answer.status_code >= 400 else "done" for answer in answers)


@pytest.mark.parametrize("role", ["member", "owner"])
def test_two_hundred_accepts_by_one_person_make_one_membership(stack: Stack, role: str) -> None:
    tenant = stack.tenant()
    owner = stack.member(tenant, Role.OWNER)
    token = invite(stack, owner, role).json["token"]
    grace = signed_in()
    answers = at_once(accepting([grace] * PARALLEL, token))
    assert outcomes(answers) == {"done": PARALLEL}
    assert len({json.dumps(answer.json()) for answer in answers}) == 1
    assert roles(stack, tenant) == {id_of(owner): "owner", id_of(grace): role}


def test_two_hundred_persons_with_one_address_get_one_membership(stack: Stack) -> None:
    """Several issuers may know the same address."""
    tenant = stack.tenant()
    owner = stack.member(tenant, Role.OWNER)
    token = invite(stack, owner, "owner").json["token"]
    answers = at_once(accepting([signed_in() for _ in range(PARALLEL)], token))
    assert outcomes(answers) == {"done": 1, "invitation_used": PARALLEL - 1}
    assert list(roles(stack, tenant).values()) == ["owner", "owner"]


def test_one_of_many_invitations_to_an_address_stays_pending(stack: Stack) -> None:
    tenant = stack.tenant()
    owners = [stack.member(tenant, Role.OWNER) for _ in range(8)]
    body = {"email": "grace@example.org", "role": "member"}
    answers = at_once([(owner, "POST", "/api/v1/invitations", body) for owner in owners])
    sent = [answer.json() for answer in answers if answer.status_code == 201]
    assert sent
    assert set(outcomes(answers)) <= {"done", "busy"}
    accepted = [at_once(accepting([signed_in()], each["token"]))[0] for each in sent]
    assert outcomes(accepted) == {"done": 1, "invitation_revoked": len(sent) - 1}


def test_owners_who_all_leave_at_once_leave_one_behind(stack: Stack) -> None:
    tenant = stack.tenant()
    owners = [stack.member(tenant, Role.OWNER) for _ in range(10)]
    answers = at_once([(owner, "POST", "/api/v1/members/me/leave", None) for owner in owners])
    assert outcomes(answers) == {"done": 9, "last_owner": 1}
    assert list(roles(stack, tenant).values()) == ["owner"]


def test_transfers_departures_and_demotions_at_once_never_leave_a_tenant_without_an_owner(stack: Stack) -> None:
    tenant = stack.tenant()
    owners = [stack.member(tenant, Role.OWNER) for _ in range(4)]
    heirs = [stack.member(tenant, Role.MEMBER) for _ in range(4)]
    calls: list[Call] = []
    for owner, other, heir in zip(owners, [*owners[1:], owners[0]], heirs, strict=True):
        calls += [
            (owner, "POST", "/api/v1/tenants/me/transfer", {"person_id": id_of(heir)}),
            (owner, "POST", "/api/v1/members/me/leave", None),
            (owner, "PATCH", f"/api/v1/members/{id_of(other)}", {"role": "viewer", "version": 1}),
            (owner, "DELETE", f"/api/v1/members/{id_of(other)}", None),
        ]
    answers = at_once(calls)
    assert max(answer.status_code for answer in answers) < 500
    assert "owner" in roles(stack, tenant).values()


def test_of_two_changes_of_one_version_one_is_made(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, target = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.MEMBER)
    path = f"/api/v1/members/{id_of(target)}"
    wanted = [role for role in Role for _ in range(4)]
    answers = at_once([(owner, "PATCH", path, {"role": role.value, "version": 1}) for role in wanted])
    assert outcomes(answers) == {"done": 1, "version_conflict": len(wanted) - 1}
    (done,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert roles(stack, tenant)[id_of(target)] == done["role"]


def test_nobody_founds_more_tenants_than_one_may_by_asking_at_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from identity import wiring

    monkeypatch.setattr(wiring, "tenants_per_person", lambda: 3)
    ada = signed_in(person_id=new_id("usr"))
    answers = at_once([(ada, "POST", "/api/v1/tenants", {"name": f"Acme {n}"}) for n in range(12)])
    assert outcomes(answers) == {"done": 3, "too_many_tenants": 9}
