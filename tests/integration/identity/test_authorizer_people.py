"""People at the door: from an issuer's token, and what the table says of its person, to a caller."""

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from almanac.access import ROLES, TENANT_HEADER, Caller, Principal, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import person_id
from identity.issuers import ClaimNames
from identity.tokens.errors import IssuerUnavailable
from identity.tokens.web_tokens import WebTokens
from tests.integration.harness import Context, Stack
from tests.support.tokens import ISSUER, Maker

MAKER = Maker()
DOCUMENT = MAKER.document()
PERSON = person_id(ISSUER, "subject-1")
ACME, BETA = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h", "ten_01k9zq3v7m8x2c4b6n0d1f5g7j"
NOW = 1_800_000_000


class Recording:
    """A client that writes down what it is asked for."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def called(**arguments: Any) -> Any:
            self.calls.append(name)
            return getattr(self._client, name)(**arguments)

        return called


class Door:
    """The authorizer with an issuer that the tests can sign for, and a clock that they can turn."""

    def __init__(self, stack: Stack, authorizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = float(NOW)
        self.store = Recording(authorizer._dynamodb)
        self._stack, self._authorizer, self._patch = stack, authorizer, monkeypatch
        monkeypatch.setattr(authorizer, "time", SimpleNamespace(time=lambda: self.now))
        monkeypatch.setattr(authorizer._callers, "_client", self.store)
        monkeypatch.setattr(authorizer, "_remembered", type(authorizer._remembered)())
        self.trust()

    def trust(self, **configured: Any) -> None:
        issuers = {ISSUER: MAKER.configuration(**configured)}
        self._patch.setattr(self._authorizer, "_web_tokens", WebTokens(issuers, lambda _: DOCUMENT))

    def put(self, key: keys.Key, **attributes: Any) -> None:
        item = dynamo({**key.as_dict(), **attributes})
        self._stack.client("dynamodb").put_item(TableName="almanac", Item=item)

    def join(self, tenant: str, role: Role = Role.MEMBER) -> None:
        self.put(keys.person_tenant(PERSON, tenant), entity="person_tenant", tenant_id=tenant, role=role)

    def leave(self, tenant: str) -> None:
        key = dynamo(keys.person_tenant(PERSON, tenant).as_dict())
        self._stack.client("dynamodb").delete_item(TableName="almanac", Key=key)

    def knock(self, token: str | None = None, tenant: str | None = None) -> Caller | None:
        """Return who comes in, or None for somebody who is refused."""
        headers = {"authorization": f"Bearer {token or MAKER.token(now=self.now)}"}
        headers |= {TENANT_HEADER: tenant} if tenant is not None else {}
        answer = self._authorizer.handler({"version": "2.0", "headers": headers}, Context())
        return Caller.from_context(answer["context"]) if answer["isAuthorized"] else None

    def admitted(self, token: str | None = None, tenant: str | None = None) -> Caller:
        caller = self.knock(token, tenant)
        assert caller is not None
        return caller


@pytest.fixture
def door(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    yield Door(stack, importlib.import_module("identity.authorizer"), monkeypatch)


def test_a_person_nobody_knows_yet_comes_in_without_a_tenant(door: Door) -> None:
    token = MAKER.token(now=door.now, email="Ann@Example.org", email_verified=True)
    caller = door.admitted(token)
    assert caller.principal is None
    assert caller.person is not None
    assert (caller.person.id, caller.person.email, caller.person.session_id) == (PERSON, "ann@example.org", "session-1")


def test_the_only_tenant_of_a_person_chooses_itself(door: Door) -> None:
    door.join(ACME, Role.VIEWER)
    expected = Principal(ACME, PERSON, ROLES[Role.VIEWER], role=Role.VIEWER, session_id="session-1")
    assert door.admitted().principal == expected
    assert door.admitted(tenant=ACME).principal == expected


def test_a_person_of_several_tenants_says_which_one_it_means(door: Door) -> None:
    door.join(ACME, Role.OWNER)
    door.join(BETA, Role.AUDITOR)
    assert door.admitted().principal is None
    for tenant, role in ((ACME, Role.OWNER), (BETA, Role.AUDITOR)):
        principal = door.admitted(tenant=tenant).principal
        assert principal is not None
        assert (principal.tenant_id, principal.permissions) == (tenant, ROLES[role])


@pytest.mark.parametrize(
    "named", [BETA, "", "acme", f"{ACME},{BETA}", f"{ACME} ", ACME.upper(), "ten_", f"{ACME}#MEMBER", "*", PERSON]
)
def test_a_tenant_that_is_not_ones_own_or_none_at_all_is_not_entered(door: Door, named: str) -> None:
    door.join(ACME)
    caller = door.admitted(tenant=named)
    assert caller.person is not None
    assert caller.principal is None


def test_a_token_may_be_bound_to_a_tenant(door: Door) -> None:
    door.trust(claims=ClaimNames(tenant="almanac_tenant"))
    door.join(ACME)
    door.join(BETA)
    token = MAKER.token(now=door.now, almanac_tenant=ACME)
    for named in (None, ACME):
        principal = door.admitted(token, named).principal
        assert principal is not None
        assert principal.tenant_id == ACME
    assert door.admitted(token, BETA).principal is None
    assert door.admitted(MAKER.token(now=door.now, almanac_tenant="ten_other")).principal is None


def test_a_claim_that_nobody_configured_binds_nothing(door: Door) -> None:
    door.join(ACME)
    principal = door.admitted(MAKER.token(now=door.now, tenant=BETA, tenant_id=BETA)).principal
    assert principal is not None
    assert principal.tenant_id == ACME


def test_the_address_of_a_token_without_one_is_the_persons_own(door: Door) -> None:
    door.put(keys.person(PERSON), entity="person", email="ann@example.org")
    caller = door.admitted()
    assert caller.person is not None
    assert caller.person.email == "ann@example.org"


def test_a_session_that_was_ended_is_refused_and_others_are_not(door: Door) -> None:
    door.put(keys.person_session(PERSON, "session-1"), entity="session", ended_at="2026-01-31T12:00:00.000Z")
    door.put(keys.person_session(PERSON, "session-2"), entity="session")
    assert door.knock() is None
    assert door.knock(MAKER.token(now=door.now, sid="session-2")) is not None
    assert door.knock(MAKER.token(now=door.now, sid="session-3")) is not None


def test_tokens_from_before_the_person_signed_out_everywhere_are_refused(door: Door) -> None:
    door.put(keys.person(PERSON), entity="person", valid_after=NOW - 60)
    assert door.knock(MAKER.token(now=door.now, iat=NOW - 61)) is None
    assert door.knock(MAKER.token(now=door.now, iat=NOW - 60)) is not None


def test_an_outcome_is_remembered_for_twenty_seconds(door: Door) -> None:
    door.join(ACME)
    token = MAKER.token(now=door.now)
    assert door.admitted(token).principal is not None
    asked = len(door.store.calls)
    door.leave(ACME)
    door.now += 19
    assert door.admitted(token).principal is not None
    assert len(door.store.calls) == asked
    door.now += 1
    assert door.admitted(token).principal is None


def test_what_is_remembered_of_one_tenant_is_not_used_for_another(door: Door) -> None:
    door.join(ACME, Role.OWNER)
    token = MAKER.token(now=door.now)
    first, second, third = (door.admitted(token, tenant).principal for tenant in (ACME, BETA, None))
    assert first == third
    assert first is not None
    assert second is None


def test_what_is_remembered_of_one_token_is_not_used_for_another(door: Door) -> None:
    door.join(ACME)
    token = MAKER.token(now=door.now)
    assert door.admitted(token).principal is not None
    header, payload, signature = token.split(".")
    assert door.knock(f"{header}.{payload}.{signature[:-2]}AA") is None
    other = door.admitted(MAKER.token(now=door.now, sub="subject-2"))
    assert other.principal is None


def test_a_remembered_token_expires_on_time(door: Door) -> None:
    door.join(ACME)
    token = MAKER.token(now=door.now, exp=NOW + 5)
    door.now += 30
    assert door.admitted(token).principal is not None
    door.now += 5
    assert door.knock(token) is None


def test_whoever_has_no_tenant_yet_is_looked_up_at_every_call(door: Door) -> None:
    token = MAKER.token(now=door.now)
    assert door.admitted(token).principal is None
    door.join(ACME)
    assert door.admitted(token).principal is not None


def test_an_issuer_that_gives_no_verdict_is_an_error_and_no_refusal(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: Any) -> bytes:
        raise OSError("down")

    monkeypatch.setattr(door._authorizer, "_web_tokens", WebTokens({ISSUER: MAKER.configuration()}, down))
    with pytest.raises(IssuerUnavailable):
        door.knock()


def test_items_that_the_store_did_not_answer_for_are_no_verdict_either(door: Door) -> None:
    request = {"almanac": {"Keys": [dynamo(keys.person_session(PERSON, "session-1").as_dict())]}}
    answer = {"Responses": {"almanac": []}, "UnprocessedKeys": request}
    door._authorizer._callers._client = SimpleNamespace(batch_get_item=lambda **_: answer)
    with pytest.raises(Exception, match=r"^$") as raised:
        door.knock()
    assert type(raised.value).__name__ == "StoreBusy"


def test_a_refusal_says_why_in_the_log_and_nothing_of_the_token(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    token = MAKER.token(now=door.now - 10_000)
    assert door.knock(token) is None
    line = capsys.readouterr().out
    assert '"reason": "expired"' in line
    assert not any(part in line for part in token.split("."))
