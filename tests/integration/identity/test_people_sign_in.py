"""Signing up and in, and that no answer tells who is known."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import plain
from almanac.limits import admission
from tests.integration.harness import Answer, Stack
from tests.integration.identity.people import CODE, PASSWORD, Visitor, new_address
from tests.support.user_pool import refusing


def told(answer: Answer) -> tuple[int, Any, dict[str, str]]:
    """Return what a caller can tell from an answer, without what differs every time."""
    body = answer.json
    body.pop("correlation_id", None)
    kept = {name: value for name, value in answer.headers.items() if name not in {"x-correlation-id", "date"}}
    return answer.status, body, kept


def item(stack: Stack, key: keys.Key) -> dict[str, Any]:
    found = stack.client("dynamodb").get_item(TableName="almanac", Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
    return plain(found["Item"])


def test_who_confirms_its_address_is_signed_in_and_known_by_name(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    me = ada.call("GET", "").json
    assert (me["email"], me["name"], me["mfa"], me["version"]) == (ada.email, "Ada Lovelace", False, 1)
    assert me["id"] == ada.session["person_id"]


def test_the_password_of_the_confirmation_opens_the_account(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    answer = ada.sign_in()
    assert (answer.status, answer.json["status"]) == (200, "signed_in")
    assert answer.json["refresh_token"].startswith("almr_")


def test_an_address_is_the_same_in_any_case(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    assert ada.auth("sign-in", {"email": ada.email.upper(), "password": PASSWORD}).status == 200


def test_a_session_is_kept_without_any_token_in_the_clear(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    kept = item(stack, keys.person_session(ada.session["person_id"], ada.session["session"]))
    text = repr(kept)
    assert ada.session["refresh_token"] not in text
    assert ada.session["access_token"] not in text
    assert kept["user_agent"] == "the first client"


def test_signing_up_again_is_answered_alike_and_changes_nothing(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    first = ada.auth("sign-up", {"email": new_address()})
    again = ada.auth("sign-up", {"email": ada.email})
    assert told(first) == told(again)
    assert ada.sign_in().status == 200


def test_signing_up_again_before_the_confirmation_sends_another_code(stack: Stack) -> None:
    ada = Visitor(stack)
    ada.auth("sign-up", {"email": ada.email})
    with refusing("ResendConfirmationCode", "LimitExceededException") as asked:
        assert ada.auth("sign-up", {"email": ada.email}).status == 202
    assert [call["Username"] for call in asked] == [ada.email]
    assert ada.confirm().status == 200


def test_who_signed_somebody_elses_address_up_does_not_know_its_password(stack: Stack) -> None:
    mallory = Visitor(stack)
    mallory.auth("sign-up", {"email": mallory.email})
    for guess in (PASSWORD, "", "Aa1-"):
        assert mallory.auth("sign-in", {"email": mallory.email, "password": guess or "x"}).status == 401


@pytest.mark.parametrize("step", ["forgot-password", "resend-code", "sign-up"])
def test_asking_for_a_code_tells_nothing_about_the_address(stack: Stack, step: str) -> None:
    ada = Visitor(stack).sign_up()
    assert told(ada.auth(step, {"email": ada.email})) == told(ada.auth(step, {"email": new_address()}))


def test_a_failed_sign_in_tells_nothing_about_the_address(stack: Stack) -> None:
    ada, waiting = Visitor(stack).sign_up(), Visitor(stack)
    waiting.auth("sign-up", {"email": waiting.email})
    answers = [
        told(ada.auth("sign-in", {"email": email, "password": "Wrong horse 11"}))
        for email in (ada.email, waiting.email, new_address())
    ]
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize(
    "code",
    [
        "NotAuthorizedException",
        "UserNotFoundException",
        "UserNotConfirmedException",
        "PasswordResetRequiredException",
        "LimitExceededException",
    ],
)
def test_each_way_in_which_the_pool_refuses_a_sign_in_looks_the_same(stack: Stack, code: str) -> None:
    ada = Visitor(stack)
    body = {"email": ada.email, "password": PASSWORD}
    with refusing("InitiateAuth", "NotAuthorizedException", "Incorrect username or password."):
        expected = told(ada.auth("sign-in", body))
    with refusing("InitiateAuth", code, "something else"):
        assert told(ada.auth("sign-in", body)) == expected


@pytest.mark.parametrize(
    "code", ["CodeMismatchException", "ExpiredCodeException", "UserNotFoundException", "NotAuthorizedException"]
)
@pytest.mark.parametrize(
    ("step", "operation"), [("confirm", "ConfirmSignUp"), ("reset-password", "ConfirmForgotPassword")]
)
def test_a_wrong_code_names_the_field_and_tells_nothing_else(
    stack: Stack, code: str, step: str, operation: str
) -> None:
    body = {"email": new_address(), "code": CODE, "password": PASSWORD}
    body |= {"name": "Ada"} if step == "confirm" else {}
    with refusing(operation, code, "the pool's own words"):
        answer = Visitor(stack).auth(step, body)
    assert (answer.status, answer.json["code"]) == (422, "code_refused")
    assert answer.json["errors"][0]["field"] == "body.code"
    assert "own words" not in answer.text


def test_a_lockout_tells_nothing_about_the_address(stack: Stack) -> None:
    ada = Visitor(stack)
    expected = told(ada.sign_in())
    with refusing("InitiateAuth", "NotAuthorizedException", "Password attempts exceeded"):
        assert told(ada.sign_in()) == expected


def test_a_pool_that_is_asked_too_much_asks_for_patience(stack: Stack) -> None:
    with refusing("InitiateAuth", "TooManyRequestsException"):
        answer = Visitor(stack).sign_in()
    assert (answer.status, answer.json["code"]) == (429, "too_many_attempts")
    assert int(answer.headers["retry-after"]) > 0


def test_who_is_signed_in_is_told_that_its_account_is_locked(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    body = {"current_password": ada.password, "new_password": "Another horse 2"}
    with refusing("ChangePassword", "LimitExceededException"):
        answer = ada.call("POST", "/password", body)
    assert (answer.status, answer.headers["retry-after"]) == (429, "900")


def test_a_pool_that_fails_is_a_503(stack: Stack) -> None:
    with refusing("InitiateAuth", "InternalErrorException"):
        assert Visitor(stack).sign_in().status == 503


@pytest.mark.parametrize("password", ["Short1a", "alllowercase1", "ALLUPPERCASE1", "NoDigitsAtAll", " Blank before 1"])
def test_a_weak_password_is_refused_for_every_address_alike(stack: Stack, password: str) -> None:
    ada = Visitor(stack, password=password)
    answer = ada.confirm()
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.password")


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.org", "a b@example.org", "ada@example", "ada@-x.org", "é@example.org"]
)
def test_what_is_no_address_is_refused(stack: Stack, email: str) -> None:
    answer = Visitor(stack).auth("sign-up", {"email": email})
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "body.email")


def test_a_forgotten_password_is_reset_and_ends_every_session(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    old = ada.session["refresh_token"]
    assert ada.auth("forgot-password", {"email": ada.email}).status == 202
    body = {"email": ada.email, "code": CODE, "password": "Another horse 2"}
    assert ada.auth("reset-password", body).status == 204
    assert ada.refresh(old).status == 401
    assert ada.sign_in().status == 401
    assert ada.sign_in("Another horse 2").status == 200


def test_nothing_that_a_person_types_or_is_given_is_logged(
    stack: Stack, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.INFO)
    ada = Visitor(stack, password="Marked horse 9173").sign_up()
    spoken = [ada.password, ada.email, *secrets_of(ada)]
    ada.sign_in()
    ada.refresh()
    spoken += secrets_of(ada)
    ada.sign_in("Wrong marked horse 55")
    ada.call("POST", "/password", {"current_password": ada.password, "new_password": "Next marked horse 7"})
    ada.auth("sign-in", {"email": ada.email, "password": "x" * 300})
    setup = ada.call("POST", "/mfa").json
    spoken += ["Wrong marked horse 55", "Next marked horse 7", "x" * 300, setup["secret"]]
    ada.refresh("almr_" + "z" * 80)
    written = capsys.readouterr()
    logged = caplog.text + written.out + written.err + "".join(str(vars(record)) for record in caplog.records)
    assert [text for text in spoken if text in logged] == []


def secrets_of(visitor: Visitor) -> list[str]:
    return [visitor.session["refresh_token"], visitor.session["access_token"]]


@pytest.fixture
def three_attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nobody try one address more than three times at once."""
    monkeypatch.setenv("ALMANAC_EMAIL_RATE", "1")
    monkeypatch.setenv("ALMANAC_EMAIL_BURST", "3")
    for cached in (admission.settings, admission.limiter):
        cached.cache_clear()
    yield
    for cached in (admission.settings, admission.limiter):
        cached.cache_clear()


@pytest.mark.usefixtures("three_attempts")
def test_guessing_is_stopped_before_the_pool_is_asked_and_for_every_address_alike(stack: Stack) -> None:
    known = Visitor(stack)
    known.auth("sign-up", {"email": known.email})
    known.confirm()
    for visitor, left in ((known, 1), (Visitor(stack), 3)):
        answers = [visitor.sign_in("Wrong horse 11") for _ in range(left)]
        assert [answer.status for answer in answers] == [401] * left
        with refusing("InitiateAuth", "NotAuthorizedException") as asked:
            stopped = visitor.sign_in("Wrong horse 11")
        assert (stopped.status, stopped.json["code"], asked) == (429, "rate_limited", [])
        assert int(stopped.headers["retry-after"]) > 0
