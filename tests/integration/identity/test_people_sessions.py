"""Sessions: refresh tokens that are good once, and sign-out that ends what it says."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from almanac import runtime
from almanac.aws import keys
from identity.people import sessions as module
from identity.people.errors import RefreshRefused
from identity.people.sessions import Opened
from identity.people.wiring import people
from identity.tokens import refresh
from tests.integration.harness import Stack
from tests.integration.identity.people import Visitor
from tests.integration.identity.test_people_sign_in import item
from tests.support.user_pool import refusing


def ended(stack: Stack, session: dict[str, Any]) -> bool:
    return "ended_at" in item(stack, keys.person_session(session["person_id"], session["session"]))


def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the grace for lost answers be over."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0)


def test_a_refresh_brings_a_new_pair_of_the_same_session(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    before = ada.session
    assert ada.refresh().status == 200
    assert ada.session["session"] == before["session"]
    assert ada.session["refresh_token"] != before["refresh_token"]
    assert ada.call("GET", "").status == 200


def test_refresh_tokens_can_be_used_one_after_another(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    assert [ada.refresh().status for _ in range(4)] == [200] * 4


def test_a_token_that_was_used_before_ends_the_session(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    late(monkeypatch)
    ada = Visitor(stack).sign_up()
    stolen = ada.session["refresh_token"]
    ada.refresh()
    answer = Visitor(stack).refresh(stolen)
    assert (answer.status, answer.json["code"]) == (401, "refresh_refused")
    assert ada.refresh().status == 401
    assert ended(stack, ada.session)


def test_an_older_token_ends_the_session_even_while_answers_may_be_lost(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    oldest = ada.session["refresh_token"]
    ada.refresh()
    ada.refresh()
    assert Visitor(stack).refresh(oldest).status == 401
    assert ended(stack, ada.session)


def test_who_lost_the_answer_is_given_the_same_token_again(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    first = ada.session["refresh_token"]
    given = ada.refresh(first).json["refresh_token"]
    assert ada.refresh(first).json["refresh_token"] == given
    assert ada.refresh(given).status == 200


def test_two_refreshes_at_once_leave_one_token_in_force(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    token = ada.session["refresh_token"]
    real = module.Sessions._rotate
    after: list[str] = []

    async def overtaken(self: Any, session: Any, sha256: str, successor: str) -> None:
        await real(self, session, sha256, successor)
        after.append(successor)
        await real(self, session, sha256, successor)

    with mock.patch.object(module.Sessions, "_rotate", overtaken):
        given = ada.refresh(token).json["refresh_token"]
    assert after == [given]
    kept = item(stack, keys.person_session(ada.session["person_id"], ada.session["session"]))
    assert kept["refresh_sha256"] == refresh.digest(given)


def test_a_refresh_that_was_overtaken_by_a_sign_out_is_refused(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    real = module.Sessions._rotate

    async def overtaken(self: Any, session: Any, sha256: str, successor: str) -> None:
        await self._end(session)
        await real(self, session, sha256, successor)

    with mock.patch.object(module.Sessions, "_rotate", overtaken):
        assert ada.refresh().status == 401
    assert ended(stack, ada.session)


@pytest.mark.parametrize("change", ["secret", "family", "session", "person", "checksum", "nothing like it"])
def test_a_forged_token_is_refused_and_ends_nothing(stack: Stack, change: str) -> None:
    ada = Visitor(stack).sign_up()
    head, person, session, family, rest = ada.session["refresh_token"].split("_")
    forged = {
        "family": refresh.first("usr_" + person, session),
        "session": refresh.first("usr_" + person, session[::-1]),
        "person": refresh.first("usr_" + "0" * 26, session),
        "secret": "_".join([head, person, session, family, rest[::-1]]),
        "checksum": ada.session["refresh_token"][:-1] + "!",
        "nothing like it": "almr_",
    }[change]
    answer = Visitor(stack).refresh(forged)
    assert (answer.status, answer.json["code"]) == (401, "refresh_refused")
    assert ada.refresh().status == 200


def test_a_session_that_the_pool_has_ended_is_over(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    with refusing("InitiateAuth", "NotAuthorizedException", "Refresh Token has been revoked"):
        assert ada.refresh().status == 401
    assert ended(stack, ada.session)


def test_a_pool_that_is_down_costs_no_session(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    with refusing("InitiateAuth", "InternalErrorException"):
        assert ada.refresh().status == 503
    assert ada.refresh().status == 200


@pytest.mark.parametrize("code", ["InternalErrorException", "UnsupportedTokenTypeException"])
def test_signing_out_ends_the_session_whatever_the_pool_says(stack: Stack, code: str) -> None:
    ada = Visitor(stack).sign_up()
    with refusing("RevokeToken", code) as asked:
        assert ada.auth("sign-out", {"refresh_token": ada.session["refresh_token"]}).status == 204
    assert len(asked) == 1
    assert ended(stack, ada.session)
    assert ada.refresh().status == 401


def test_signing_out_with_what_is_no_token_is_answered_alike(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    token = ada.session["refresh_token"]
    answers = [ada.auth("sign-out", {"refresh_token": text}) for text in (token, token, "almr_x")]
    assert [(answer.status, answer.text) for answer in answers] == [(204, "")] * 3


def test_a_person_sees_where_it_is_signed_in(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    first = ada.session["session"]
    ada.sign_in()
    listed = ada.sessions()
    assert [(session["id"], session["current"]) for session in listed] == [
        (first, False),
        (ada.session["session"], True),
    ]
    assert listed[0]["user_agent"] == "the first client"


def test_a_person_ends_one_session_and_keeps_the_other(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    lost = ada.session
    ada.sign_in()
    assert ada.call("DELETE", f"/sessions/{lost['session']}").status == 204
    assert ended(stack, lost)
    assert [session["id"] for session in ada.sessions()] == [ada.session["session"]]
    assert ada.call("DELETE", f"/sessions/{lost['session']}").status == 404


def test_nobody_ends_a_session_of_somebody_else(stack: Stack) -> None:
    ada, bob = Visitor(stack).sign_up(), Visitor(stack).sign_up()
    assert bob.call("DELETE", f"/sessions/{ada.session['session']}").json["code"] == "session_not_found"
    assert ada.refresh().status == 200


def test_signing_out_everywhere_ends_every_session_and_every_older_token(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    first = ada.session
    ada.sign_in()
    assert ada.call("POST", "/sign-out-everywhere").status == 204
    assert ended(stack, first)
    assert ended(stack, ada.session)
    assert item(stack, keys.person(ada.session["person_id"]))["valid_after"] > 1_700_000_000
    assert ada.sign_in().status == 200


def test_one_session_too_many_ends_the_oldest(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SESSIONS", 2)
    ada = Visitor(stack).sign_up()
    first = ada.session
    ada.sign_in()
    second = ada.session
    ada.sign_in()
    assert ended(stack, first)
    assert not ended(stack, second)


def test_refreshes_at_once_are_given_one_successor(stack: Stack) -> None:
    ada = Visitor(stack).sign_up()
    token = ada.session["refresh_token"]

    async def at_once() -> list[Opened]:
        return await asyncio.gather(*(people().sessions.go_on(token) for _ in range(10)))

    (given,) = {opened.refresh_token for opened in runtime.run(at_once())}
    assert ada.refresh(given).status == 200


def test_refreshes_with_a_used_and_a_current_token_at_once_never_leave_two_in_force(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    late(monkeypatch)
    ada = Visitor(stack).sign_up()
    used = ada.session["refresh_token"]
    current = ada.refresh().json["refresh_token"]

    async def at_once() -> list[Opened | BaseException]:
        tokens = [used, current] * 4
        return await asyncio.gather(*(people().sessions.go_on(token) for token in tokens), return_exceptions=True)

    outcomes = runtime.run(at_once())
    assert all(isinstance(outcome, Opened | RefreshRefused) for outcome in outcomes)
    given = {outcome.refresh_token for outcome in outcomes if isinstance(outcome, Opened)}
    assert ended(stack, ada.session)
    assert [Visitor(stack).refresh(token).status for token in given] == [401] * len(given)
