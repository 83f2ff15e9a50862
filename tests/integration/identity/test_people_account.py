"""What people do with their own account, and who may sign up."""

import time
from collections.abc import Iterator

import pytest

from almanac.access import Caller, Person
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from identity.people import wiring
from identity.tenants.addresses import address_sha256
from tests.integration.harness import Stack
from tests.integration.identity.people import CODE, Visitor, new_address
from tests.integration.identity.test_people_sign_in import told
from tests.support.user_pool import refusing


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let a test set who may sign up."""
    wiring.people.cache_clear()
    yield monkeypatch
    wiring.people.cache_clear()


def test_a_person_changes_its_name_at_the_version_that_it_read(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    assert ada.call("PATCH", "", {"name": "Countess", "version": 1}).json["name"] == "Countess"
    late = ada.call("PATCH", "", {"name": "Lady", "version": 1})
    assert (late.status, late.json["code"]) == (409, "person_changed")
    assert ada.call("GET", "").json["name"] == "Countess"


def test_a_name_that_was_chosen_outlives_the_next_sign_in(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    ada.call("PATCH", "", {"name": "Countess", "version": 1})
    ada.sign_in()
    assert ada.call("GET", "").json["name"] == "Countess"


def test_changing_the_password_ends_the_other_sessions_only(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    other = ada.session["refresh_token"]
    ada.sign_in()
    body = {"current_password": ada.password, "new_password": "Another horse 2"}
    assert ada.call("POST", "/password", body).status == 204
    assert ada.refresh().status == 200
    assert Visitor(stack).refresh(other).status == 401
    assert Visitor(stack, ada.email).sign_in("Another horse 2").status == 200


def test_a_wrong_current_password_is_named(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    body = {"current_password": "Wrong horse 11", "new_password": "Another horse 2"}
    answer = ada.call("POST", "/password", body)
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.current_password")


def test_an_access_token_that_the_pool_revoked_changes_no_password(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    body = {"current_password": ada.password, "new_password": "Another horse 2"}
    with refusing("ChangePassword", "NotAuthorizedException", "Access Token has been revoked"):
        answer = ada.call("POST", "/password", body)
    assert (answer.status, answer.json["code"]) == (401, "sign_in_again")


def with_second_factor(stack: Stack) -> Visitor:
    ada = Visitor(stack).sign_up()
    setup = ada.call("POST", "/mfa")
    assert (
        setup.json["otpauth_uri"]
        == f"otpauth://totp/Almanac%3A{ada.email}?secret={setup.json['secret']}&issuer=Almanac"
    )
    assert ada.call("POST", "/mfa/confirm", {"code": CODE}).status == 204
    return ada


def test_a_second_factor_is_asked_for_once_it_is_confirmed(stack: Stack) -> None:
    ada = with_second_factor(stack)
    assert ada.call("GET", "").json["mfa"] is True
    challenge = ada.sign_in().json
    assert challenge["status"] == "mfa_required"
    answer = ada.auth("sign-in/mfa", {"challenge": challenge["challenge"], "code": CODE})
    assert (answer.status, answer.json["person_id"]) == (200, ada.session["person_id"])


def test_an_authenticator_that_was_not_confirmed_is_not_asked_for(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    ada.call("POST", "/mfa")
    assert ada.sign_in().json["status"] == "signed_in"


def test_a_wrong_code_of_the_second_factor_is_refused(stack: Stack) -> None:
    ada = with_second_factor(stack)
    challenge = ada.sign_in().json["challenge"]
    with refusing("RespondToAuthChallenge", "CodeMismatchException"):
        answer = ada.auth("sign-in/mfa", {"challenge": challenge, "code": "000000"})
    assert (answer.status, answer.json["code"]) == (422, "code_refused")


@pytest.mark.parametrize("challenge", ["x", "WyJhZGEi", "bnVsbA", "W10", "WyJhZGEiLCAic2hvcnQiXQ", "é"])
def test_a_forged_challenge_is_refused(stack: Stack, challenge: str) -> None:
    answer = Visitor(stack).auth("sign-in/mfa", {"challenge": challenge, "code": CODE})
    assert (answer.status, answer.json["code"]) == (401, "sign_in_failed")


def test_the_second_factor_goes_only_with_both_factors(stack: Stack) -> None:
    ada = with_second_factor(stack)
    wrong = ada.call("POST", "/mfa/disable", {"password": "Wrong horse 11", "code": CODE})
    assert (wrong.status, wrong.json["errors"][0]["field"]) == (422, "body.password")
    with refusing("RespondToAuthChallenge", "CodeMismatchException"):
        refused = ada.call("POST", "/mfa/disable", {"password": ada.password, "code": "000000"})
    assert refused.json["code"] == "code_refused"
    assert ada.sign_in().json["status"] == "mfa_required"
    assert ada.call("POST", "/mfa/disable", {"password": ada.password, "code": CODE}).status == 204
    assert ada.sign_in().json["status"] == "signed_in"
    assert ada.call("GET", "").json["mfa"] is False


def test_who_signed_in_with_another_issuer_is_written_down_at_its_first_call(stack: Stack) -> None:
    caller = Caller(Person(new_id("usr"), "bob@example.com", "elsewhere"))
    first = stack.call("identity", "GET", "/api/v1/users/me", caller=caller)
    assert (first.status, first.json["email"]) == (200, "bob@example.com")
    again = stack.call("identity", "GET", "/api/v1/users/me", caller=caller)
    assert again.json == first.json


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("password", {"current_password": "x", "new_password": "Another horse 2"}),
        ("mfa", None),
        ("mfa/confirm", {"code": CODE}),
        ("mfa/disable", {"password": "x", "code": CODE}),
    ],
)
def test_another_issuer_keeps_its_own_passwords(stack: Stack, path: str, body: dict[str, str] | None) -> None:
    caller = Caller(Person(new_id("usr"), "bob@example.com", "elsewhere"))
    answer = stack.call("identity", "POST", f"/api/v1/users/me/{path}", body, caller=caller)
    assert (answer.status, answer.json["code"]) == (409, "managed_elsewhere")


def test_who_signed_in_elsewhere_signs_out_everywhere_too(stack: Stack) -> None:
    caller = Caller(Person(new_id("usr"), "bob@example.com", "elsewhere"))
    answer = stack.call("identity", "POST", "/api/v1/users/me/sign-out-everywhere", caller=caller)
    assert answer.status == 204


def invite(stack: Stack, email: str, expires_in: int = 3600) -> None:
    item = {
        **keys.invited(address_sha256(email), new_id("ten")).as_dict(),
        "entity": "invited",
        "expires_at": int(time.time()) + expires_in,
    }
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def test_by_invitation_only_those_who_are_invited_get_a_code(stack: Stack, policy: pytest.MonkeyPatch) -> None:
    policy.setenv("ALMANAC_SIGN_UP", "invited")
    policy.setenv("ALMANAC_SIGN_UP_DOMAINS", "almanac.test, Example.NET")
    stranger, guest, late = new_address(), new_address(), new_address()
    colleague = new_address().replace("example.org", "example.net")
    invite(stack, guest)
    invite(stack, late, expires_in=-1)
    with refusing("SignUp", "CodeDeliveryFailureException") as asked:
        answers = [
            told(Visitor(stack).auth("sign-up", {"email": email})) for email in (stranger, guest, late, colleague)
        ]
    assert [call["Username"] for call in asked] == [guest, colleague]
    assert answers == [answers[0]] * 4


def test_where_sign_up_is_closed_every_address_is_told_so(stack: Stack, policy: pytest.MonkeyPatch) -> None:
    policy.setenv("ALMANAC_SIGN_UP", "closed")
    policy.setenv("ALMANAC_SIGN_UP_DOMAINS", "example.org")
    answer = Visitor(stack).auth("sign-up", {"email": new_address()})
    assert (answer.status, answer.json["code"]) == (403, "sign_up_closed")
