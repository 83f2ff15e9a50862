"""The user pool as the template makes it, and how our calls to it are proven to be ours."""

import asyncio
import base64
import hmac
import json
import re
from typing import Any

import pytest

from almanac.aws.clients import Clients
from identity import issuers
from identity.people import passwords, sessions
from identity.people.directory import Challenge, Directory, claims
from infra.template import environment, load, resources

TEMPLATE = load()
((_, POOL),) = resources(TEMPLATE, "AWS::Cognito::UserPool").items()
((_, CLIENT),) = resources(TEMPLATE, "AWS::Cognito::UserPoolClient").items()


def test_the_pool_asks_of_passwords_what_we_ask_before_it() -> None:
    policy = POOL["Policies"]["PasswordPolicy"]
    assert policy["MinimumLength"] == passwords.SHORTEST
    assert [policy[f"Require{kind}"] for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols")] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("password", ["Correct horse 1", "a1B" + "x" * 9])
def test_a_password_of_every_kind_is_acceptable(password: str) -> None:
    assert passwords.acceptable(password) == password


def test_nobody_signs_in_without_the_clients_secret_nor_learns_who_is_known() -> None:
    assert CLIENT["GenerateSecret"] is True
    assert CLIENT["PreventUserExistenceErrors"] == "ENABLED"
    assert CLIENT["EnableTokenRevocation"] is True
    assert CLIENT["ExplicitAuthFlows"] == ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]


def test_our_sessions_live_as_long_as_the_pools() -> None:
    assert CLIENT["TokenValidityUnits"]["RefreshToken"] == "days"
    assert CLIENT["RefreshTokenValidity"] * 24 * 3600 == sessions.LIFETIME_SECONDS


@pytest.mark.parametrize("stage", ["local", "prod"])
def test_the_authorizer_is_told_of_an_issuer_that_it_accepts(stage: str) -> None:
    text, given = environment(TEMPLATE, "AuthorizerFunction")["ALMANAC_ISSUERS"]["Fn::Sub"]
    where = given["Keys"]["Fn::If"][1 if stage == "local" else 2]
    keys = "http://127.0.0.1:4566" if stage == "local" else where["Fn::Sub"]
    values = {"Keys": keys, "UserPool": "us-east-1_x", "UserPoolClient": "c1", "AWS::Region": "us-east-1"}
    for _ in range(2):
        text = re.sub(r"\$\{([^}]*)\}", lambda match: values[match[1]], text)
    (issuer,) = issuers.parse([text], local=stage == "local").values()
    assert issuer.issuer == "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_x"
    assert issuer.audiences == {"c1"}
    assert issuer.required == {"token_use": "access"}
    assert issuer.max_lifetime >= CLIENT["AccessTokenValidity"] * 60


def test_the_functions_agree_on_the_issuer() -> None:
    told = environment(TEMPLATE, "IdentityFunction")["ALMANAC_USER_POOL_ISSUER"]["Fn::Sub"]
    text, _ = environment(TEMPLATE, "AuthorizerFunction")["ALMANAC_ISSUERS"]["Fn::Sub"]
    assert json.loads(text)[0]["issuer"] == told


class Pool(Clients):
    """Plays the pool: answers what it is told to, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        super().__init__()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._answers = {
            "describe_user_pool_client": {"UserPoolClient": {"ClientSecret": "the secret"}},
            **answers,
        }

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        assert service == "cognito-idp"
        return self

    def __getattr__(self, name: str) -> Any:
        async def call(**parameters: Any) -> Any:
            self.asked.append((name, parameters))
            return self._answers[name]

        return call


def directory(pool: Pool) -> Directory:
    return Directory("us-east-1_x", "c1", "https://issuer.test", pool)


def proof(name: str) -> str:
    return base64.b64encode(hmac.digest(b"the secret", f"{name}c1".encode(), "sha256")).decode()


CHALLENGED = {
    "ChallengeName": "SOFTWARE_TOKEN_MFA",
    "Session": "s" * 40,
    "ChallengeParameters": {"USER_ID_FOR_SRP": "the-sub"},
}


def test_each_call_proves_that_it_is_ours_by_the_name_that_it_is_about() -> None:
    pool = Pool(initiate_auth=CHALLENGED)
    asyncio.run(directory(pool).sign_in("ada@example.org", "x"))
    (_, asked) = pool.asked[-1]
    assert asked["AuthParameters"]["SECRET_HASH"] == proof("ada@example.org")


def test_the_clients_secret_is_asked_for_once() -> None:
    pool = Pool(initiate_auth=CHALLENGED)
    made = directory(pool)
    asyncio.run(made.sign_in("ada@example.org", "x"))
    asyncio.run(made.sign_in("bob@example.org", "x"))
    assert [name for name, _ in pool.asked].count("describe_user_pool_client") == 1


def test_a_challenge_is_answered_in_the_name_that_the_pool_gave() -> None:
    token = ".".join(["", base64.urlsafe_b64encode(b'{"sub": "the-sub", "jti": "j"}').decode().rstrip("="), ""])
    done = {"AuthenticationResult": {"AccessToken": token, "ExpiresIn": 900}}
    pool = Pool(initiate_auth=CHALLENGED, respond_to_auth_challenge=done)
    made = directory(pool)
    entered = asyncio.run(made.sign_in("ada@example.org", "x"))
    assert isinstance(entered, Challenge)
    asyncio.run(made.answer_challenge(entered.text, "123456"))
    (_, asked) = pool.asked[-1]
    assert asked["ChallengeResponses"]["USERNAME"] == "the-sub"
    assert asked["ChallengeResponses"]["SECRET_HASH"] == proof("the-sub")


def test_a_refresh_is_proven_by_the_subject() -> None:
    token = ".".join(["", base64.urlsafe_b64encode(b'{"sub": "the-sub", "jti": "j"}').decode().rstrip("="), ""])
    pool = Pool(initiate_auth={"AuthenticationResult": {"AccessToken": token, "ExpiresIn": 900}})
    asyncio.run(directory(pool).refresh("theirs", "the-sub"))
    (_, asked) = pool.asked[-1]
    assert asked["AuthParameters"] == {"REFRESH_TOKEN": "theirs", "SECRET_HASH": proof("the-sub")}


def test_until_it_is_confirmed_an_address_has_a_password_of_its_own_that_the_pool_takes() -> None:
    pool = Pool(sign_up={})
    made = directory(pool)
    for email in ("ada@example.org", "bob@example.org", "ada@example.org"):
        asyncio.run(made.sign_up(email))
    ada, bob, again = [asked["Password"] for name, asked in pool.asked if name == "sign_up"]
    assert ada == again != bob
    assert passwords.acceptable(ada) == ada
    assert len(ada) <= passwords.LONGEST


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "..", "a.bnVsbA.c", "a.W10.c", "a.é.c"])
def test_what_is_no_web_token_says_nothing(token: str) -> None:
    assert claims(token) == {}
