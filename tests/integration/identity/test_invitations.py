"""Invitations: once, in time, by the invited only; and never more than their sender may still give."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from almanac import runtime
from almanac.access import Caller, Person, Role
from almanac.aws import keys
from almanac.aws.table import dynamo, plain
from almanac.ids import new_id
from identity import wiring
from identity.tenants import invitation_repository, invitations
from identity.tenants.addresses import address_sha256
from identity.tenants.mail import Post
from tests.integration.harness import Answer, Stack, person
from tests.integration.identity.test_members import change, id_of, leave, remove, roles

ADDRESS = "grace@example.org"


def invite(stack: Stack, caller: Caller, role: str = "member", email: str = ADDRESS, **more: Any) -> Answer:
    body = {"email": email, "role": role, **more}
    return stack.call("identity", "POST", "/api/v1/invitations", body, caller=caller)


def signed_in(email: str = ADDRESS, person_id: str | None = None) -> Caller:
    return Caller(Person(person_id or new_id("usr"), email, "session"))


def accept(stack: Stack, caller: Caller, token: str) -> Answer:
    return stack.call("identity", "POST", "/api/v1/invitations/accept", {"token": token}, caller=caller)


def listed(stack: Stack, caller: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = stack.call("identity", "GET", "/api/v1/invitations", caller=caller).json["items"]
    return items


def revoke(stack: Stack, caller: Caller, invitation_id: str) -> Answer:
    return stack.call("identity", "DELETE", f"/api/v1/invitations/{invitation_id}", caller=caller)


def resend(stack: Stack, caller: Caller, invitation_id: str) -> Answer:
    return stack.call("identity", "POST", f"/api/v1/invitations/{invitation_id}/resend", caller=caller)


def is_invited(email: str = ADDRESS) -> bool:
    return runtime.run(invitations.is_invited(wiring.table(), email))


def let_expire(stack: Stack, tenant: str, invitation_id: str) -> None:
    """Play the time that passes."""
    dynamodb = stack.client("dynamodb")
    arguments = {"TableName": "almanac", "ExpressionAttributeValues": {":then": {"N": "1"}}}
    key = dynamo(keys.invitation(tenant, invitation_id).as_dict())
    dynamodb.update_item(Key=key, UpdateExpression="SET ends_at = :then", **arguments)
    key = dynamo(keys.invited(address_sha256(ADDRESS), tenant).as_dict())
    dynamodb.update_item(Key=key, UpdateExpression="SET expires_at = :then", **arguments)


@pytest.fixture
def tenant(stack: Stack) -> str:
    return stack.tenant("Acme")


@pytest.fixture
def owner(stack: Stack, tenant: str) -> Caller:
    return stack.member(tenant, Role.OWNER, email="ada@example.org")


@pytest.mark.parametrize("role", list(Role))
def test_an_invitation_makes_its_holder_a_member(stack: Stack, tenant: str, owner: Caller, role: Role) -> None:
    sent = invite(stack, owner, role)
    assert sent.status == 201
    assert (sent.json["state"], sent.json["mail"]) == ("pending", "not_configured")
    grace = signed_in("Grace@Example.ORG")
    answer = accept(stack, grace, sent.json["token"])
    assert answer.status == 200
    assert (answer.json["tenant_id"], answer.json["tenant_name"], answer.json["role"]) == (tenant, "Acme", role)
    assert roles(stack, tenant) == {id_of(owner): "owner", id_of(grace): role}
    assert [invitation["state"] for invitation in listed(stack, owner)] == ["accepted"]
    member = stack.call("identity", "GET", f"/api/v1/members/{id_of(grace)}", caller=owner)
    assert member.json["email"] == ADDRESS


def test_accepting_twice_answers_the_same_and_another_persons_attempt_is_refused(
    stack: Stack, tenant: str, owner: Caller
) -> None:
    token = invite(stack, owner).json["token"]
    grace = signed_in()
    first, again = (accept(stack, grace, token) for _ in range(2))
    assert (first.status, first.json) == (again.status, again.json)
    other = accept(stack, signed_in(), token)
    assert (other.status, other.json["code"]) == (409, "invitation_used")
    assert len(roles(stack, tenant)) == 2


def test_who_left_does_not_come_back_by_the_same_invitation(stack: Stack, tenant: str, owner: Caller) -> None:
    token = invite(stack, owner).json["token"]
    grace = signed_in()
    accept(stack, grace, token)
    assert remove(stack, owner, grace).status == 204
    answer = accept(stack, grace, token)
    assert (answer.status, answer.json["code"]) == (409, "invitation_used")
    assert list(roles(stack, tenant)) == [id_of(owner)]


@pytest.mark.parametrize("email", ["mallory@example.org", "", "grace@example.org.evil.net"])
def test_only_the_invited_accepts_and_nobody_learns_who_that_is(
    stack: Stack, tenant: str, owner: Caller, email: str
) -> None:
    token = invite(stack, owner).json["token"]
    answer = accept(stack, signed_in(email), token)
    assert (answer.status, answer.json["code"]) == (403, "not_the_invited")
    assert "grace" not in answer.text
    assert len(roles(stack, tenant)) == 1


def test_a_token_that_nobody_made_is_not_found(stack: Stack, owner: Caller) -> None:
    from identity.tokens import invitations as tokens

    sent = invite(stack, owner).json
    made_up = tokens.create(new_id("ten"), new_id("inv"))
    guessed = tokens.create(owner.principal.tenant_id if owner.principal else "", sent["id"])
    for token in (made_up, guessed, sent["token"][:-1] + "0", "almi_", "alm_key", "x" * 200):
        answer = accept(stack, signed_in(), token)
        assert (answer.status, answer.json["code"]) == (404, "invitation_not_found"), token


def test_a_revoked_invitation_says_so_to_its_holder_only(stack: Stack, tenant: str, owner: Caller) -> None:
    sent = invite(stack, owner).json
    assert revoke(stack, owner, sent["id"]).status == 204
    assert revoke(stack, owner, sent["id"]).status == 204
    assert accept(stack, signed_in(), sent["token"]).json["code"] == "invitation_revoked"
    assert accept(stack, signed_in("mallory@example.org"), sent["token"]).json["code"] == "not_the_invited"
    assert not is_invited()
    assert [invitation["state"] for invitation in listed(stack, owner)] == ["revoked"]


def test_an_expired_invitation_lets_nobody_in_and_can_be_sent_again(stack: Stack, tenant: str, owner: Caller) -> None:
    sent = invite(stack, owner).json
    let_expire(stack, tenant, sent["id"])
    assert not is_invited()
    answer = accept(stack, signed_in(), sent["token"])
    assert (answer.status, answer.json["code"]) == (409, "invitation_expired")
    assert [invitation["state"] for invitation in listed(stack, owner)] == ["expired"]
    renewed = resend(stack, owner, sent["id"])
    assert (renewed.status, renewed.json["id"], renewed.json["state"]) == (200, sent["id"], "pending")
    assert accept(stack, signed_in(), sent["token"]).json["code"] == "invitation_revoked"
    assert accept(stack, signed_in(), renewed.json["token"]).status == 200


def test_a_used_invitation_is_neither_revoked_nor_sent_again(stack: Stack, owner: Caller) -> None:
    sent = invite(stack, owner).json
    accept(stack, signed_in(), sent["token"])
    for answer in (revoke(stack, owner, sent["id"]), resend(stack, owner, sent["id"])):
        assert (answer.status, answer.json["code"]) == (409, "invitation_used")


def test_inviting_again_takes_the_place_of_what_was_sent_before(stack: Stack, tenant: str, owner: Caller) -> None:
    first = invite(stack, owner, "viewer").json
    second = invite(stack, owner, "admin", "GRACE@example.org").json
    assert [invitation["state"] for invitation in listed(stack, owner)] == ["revoked", "pending"]
    assert accept(stack, signed_in(), first["token"]).json["code"] == "invitation_revoked"
    assert accept(stack, signed_in(), second["token"]).json["role"] == "admin"
    assert not is_invited()


def test_sign_up_learns_who_is_invited_by_any_tenant(stack: Stack, owner: Caller) -> None:
    assert not is_invited()
    sent = invite(stack, owner).json
    other = stack.member(stack.tenant(), Role.OWNER)
    elsewhere = invite(stack, other).json
    assert is_invited("Grace@Example.org ")
    revoke(stack, owner, sent["id"])
    assert is_invited()
    revoke(stack, other, elsewhere["id"])
    assert not is_invited()


def test_nobody_invites_above_its_own_role(stack: Stack, tenant: str, owner: Caller) -> None:
    admin = stack.member(tenant, Role.ADMIN)
    allowed = {role: invite(stack, admin, role, f"{role}@example.org").status for role in Role}
    assert allowed == {"owner": 403, "admin": 201, "member": 201, "viewer": 201, "auditor": 403}
    above = invite(stack, owner, "owner").json
    for answer in (
        invite(stack, admin, "viewer"),
        revoke(stack, admin, above["id"]),
        resend(stack, admin, above["id"]),
    ):
        assert (answer.status, answer.json["code"]) == (403, "role_above_own")
    for role in (Role.MEMBER, Role.VIEWER, Role.AUDITOR):
        caller = stack.member(tenant, role)
        assert invite(stack, caller, "viewer").json["code"] == "insufficient_permission"


def test_a_tenant_sends_so_many_letters_a_day_and_no_more(
    stack: Stack, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation_repository, "SENT_PER_DAY", 3)
    sent = invite(stack, owner).json
    assert [resend(stack, owner, sent["id"]).status, invite(stack, owner).status] == [200, 201]
    for answer in (
        invite(stack, owner, email="other@example.org"),
        resend(stack, owner, listed(stack, owner)[-1]["id"]),
    ):
        assert (answer.status, answer.json["code"]) == (429, "too_many_invitations")
        assert 0 < int(answer.headers["retry-after"]) <= 24 * 3600
    assert invite(stack, stack.member(stack.tenant(), Role.OWNER)).status == 201


def test_nobody_enters_a_tenant_that_is_being_erased(stack: Stack, tenant: str, owner: Caller) -> None:
    token = invite(stack, owner).json["token"]
    stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(keys.tenant(tenant).as_dict()),
        UpdateExpression="SET erasure_id = :id",
        ExpressionAttributeValues={":id": {"S": new_id("ers")}},
    )
    answer = accept(stack, signed_in(), token)
    assert (answer.status, answer.json["code"]) == (409, "invitation_revoked")
    again = invite(stack, owner)
    assert (again.status, again.json["code"]) == (404, "tenant_not_found")
    assert list(roles(stack, tenant)) == [id_of(owner)]


@pytest.mark.parametrize("what", ["removed", "left", "demoted"])
def test_an_invitation_is_worth_what_its_sender_may_still_give(
    stack: Stack, tenant: str, owner: Caller, what: str
) -> None:
    admin = stack.member(tenant, Role.ADMIN)
    token = invite(stack, admin).json["token"]
    ending = {
        "removed": lambda: remove(stack, owner, admin),
        "left": lambda: leave(stack, admin),
        "demoted": lambda: change(stack, owner, admin, Role.VIEWER),
    }
    assert ending[what]().status in {200, 204}
    answer = accept(stack, signed_in(), token)
    assert (answer.status, answer.json["code"]) == (409, "invitation_revoked")


def test_a_member_accepts_no_second_role(stack: Stack, tenant: str, owner: Caller) -> None:
    admin = stack.member(tenant, Role.ADMIN, email=ADDRESS)
    for sender in (owner, admin):
        token = invite(stack, sender, "viewer").json["token"]
        answer = accept(stack, signed_in(person_id=id_of(admin)), token)
        assert (answer.status, answer.json["code"]) == (409, "already_member")
    assert roles(stack, tenant)[id_of(admin)] == "admin"


def test_an_api_key_invites_and_accepts_nothing(stack: Stack, tenant: str) -> None:
    body = {"email": ADDRESS, "role": "viewer"}
    sent = stack.call("identity", "POST", "/api/v1/invitations", body, tenant=tenant)
    assert (sent.status, sent.json["invited_by"]) == (201, "key_test")
    answer = stack.call("identity", "POST", "/api/v1/invitations/accept", {"token": sent.json["token"]}, tenant=tenant)
    assert (answer.status, answer.json["code"]) == (403, "person_required")
    assert accept(stack, signed_in(), sent.json["token"]).status == 200


def test_another_tenants_invitation_does_not_exist(stack: Stack, owner: Caller) -> None:
    sent = invite(stack, owner).json
    stranger = stack.member(stack.tenant(), Role.OWNER)
    for answer in (revoke(stack, stranger, sent["id"]), resend(stack, stranger, sent["id"])):
        assert (answer.status, answer.json["code"]) == (404, "invitation_not_found")
    assert listed(stack, stranger) == []


@pytest.mark.parametrize(
    "email",
    [
        "",
        "grace",
        "@example.org",
        "grace@",
        "a b@example.org",
        "x@y.org\r\nBcc: z@y.org",
        "x@y.org, z@y.org",
        "<x@y.org>",
    ],
)
def test_what_is_no_address_is_refused(stack: Stack, owner: Caller, email: str) -> None:
    answer = invite(stack, owner, email=email)
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["body.email"]


@pytest.mark.parametrize("days", [0, 31, -1])
def test_an_invitation_lasts_from_one_to_thirty_days(stack: Stack, owner: Caller, days: int) -> None:
    assert invite(stack, owner, expires_in_days=days).status == 422


def test_no_item_and_no_list_holds_a_token(stack: Stack, owner: Caller) -> None:
    secret = invite(stack, owner).json["token"].rsplit("_", 1)[1]
    assert secret not in repr(stack.client("dynamodb").scan(TableName="almanac")["Items"])
    assert secret not in json.dumps(listed(stack, owner))


@pytest.fixture
def mailing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Mail from an address that SES knows."""
    stack.client("sesv2").create_email_identity(EmailIdentity="almanac@example.com")
    monkeypatch.setattr(wiring, "post", lambda: Post(runtime.clients(), "almanac@example.com"))
    yield
    stack.client("sesv2").delete_email_identity(EmailIdentity="almanac@example.com")


def letters(stack: Stack) -> list[dict[str, Any]]:
    """Return what the store's SES was given to send."""
    with urllib.request.urlopen(f"{stack.endpoint}/moto-api/data.json") as answer:  # noqa: S310 - our own server
        found: list[dict[str, Any]] = json.load(answer)["ses"].get("Message", [])
    return found


def test_a_letter_takes_the_token_to_the_invited_and_to_nobody_else(stack: Stack, owner: Caller, mailing: None) -> None:
    before = len(letters(stack))
    sent = invite(stack, owner)
    assert (sent.status, sent.json["mail"], sent.json["token"]) == (201, "sent", None)
    assert [invitation["mail"] for invitation in listed(stack, owner)] == ["sent"]
    (letter,) = letters(stack)[before:]
    assert ADDRESS in repr(letter)
    assert "Acme" in repr(letter)
    assert "almi_" in repr(letter)


def test_a_letter_that_fails_leaves_its_cause_and_can_be_sent_again(
    stack: Stack, owner: Caller, mailing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = wiring.post()
    monkeypatch.setattr(wiring, "post", lambda: Post(runtime.clients(), "unknown@example.net"))
    sent = invite(stack, owner)
    assert (sent.status, sent.json["mail"], sent.json["token"]) == (201, "failed", None)
    assert "MessageRejected" in sent.json["mail_cause"]
    (known,) = listed(stack, owner)
    assert (known["mail"], known["mail_cause"], known["state"]) == ("failed", sent.json["mail_cause"], "pending")
    monkeypatch.setattr(wiring, "post", lambda: working)
    again = resend(stack, owner, sent.json["id"])
    assert (again.status, again.json["mail"], again.json["mail_cause"]) == (200, "sent", None)


def test_who_came_in_and_who_was_given_what_is_in_the_audit_log(stack: Stack) -> None:
    ada, grace = signed_in("ada@example.org"), signed_in()
    founded = stack.call("identity", "POST", "/api/v1/tenants", {"name": "Acme"}, caller=ada)
    tenant = founded.json["tenant_id"]
    owner = person(tenant, Role.OWNER, id_of(ada))
    accept(stack, grace, invite(stack, owner, "viewer").json["token"])
    change(stack, owner, grace, Role.ADMIN)
    items = [plain(item) for item in stack.client("dynamodb").scan(TableName="almanac")["Items"]]
    told = {item["action"]: item for item in items if item.get("entity") == "audit_open"}
    assert {name: entry["actor"]["id"] for name, entry in told.items()} == {
        "create_tenant": id_of(ada),
        "create_invitation": id_of(ada),
        "accept_invitation": id_of(grace),
        "update_member": id_of(ada),
    }
    assert told["update_member"]["resource"]["person_id"] == id_of(grace)
    assert told["update_member"]["facts"] == {"role": "admin"}
    assert ADDRESS not in repr(told)
