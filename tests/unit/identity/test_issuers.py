"""The operator's list of issuers: read as it is meant, or refused at the start with what is wrong."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from identity.issuers import ClaimNames, Issuer, IssuersError, parse

KEYCLOAK = {"issuer": "https://login.example.org/realms/team", "audiences": ["almanac"]}


def problem(*entries: Any, local: bool = False) -> str:
    with pytest.raises(IssuersError) as refused:
        parse([json.dumps(list(entries))], local=local)
    return str(refused.value)


def test_no_setting_names_no_issuer() -> None:
    assert parse(["", "[]"], local=False) == {}


def test_what_is_not_said_has_a_safe_value() -> None:
    issuers = parse([json.dumps([KEYCLOAK])], local=False)
    expected = Issuer("https://login.example.org/realms/team", frozenset({"almanac"}))
    assert issuers == {expected.issuer: expected}
    assert (sorted(expected.algorithms), expected.max_lifetime) == (["ES256", "RS256"], 86400)
    assert expected.discovery_uri == "https://login.example.org/realms/team/.well-known/openid-configuration"


def test_everything_can_be_said() -> None:
    entry = {
        **KEYCLOAK,
        "jwks_uri": "https://login.example.org/keys",
        "algorithms": ["ES256"],
        "required": {"typ": "Bearer"},
        "clients": ["cli"],
        "max_lifetime": 600,
        "claims": {"subject": "oid", "tenant": "almanac_tenant"},
    }
    assert parse([json.dumps([entry])], local=False)[KEYCLOAK["issuer"]] == Issuer(  # type: ignore[index]
        "https://login.example.org/realms/team",
        frozenset({"almanac"}),
        "https://login.example.org/keys",
        frozenset({"ES256"}),
        {"typ": "Bearer"},
        frozenset({"cli"}),
        600,
        ClaimNames(subject="oid", tenant="almanac_tenant"),
    )


def test_several_settings_add_up_and_no_issuer_is_there_twice() -> None:
    other = {**KEYCLOAK, "issuer": "https://other.example.org"}
    assert len(parse([json.dumps([KEYCLOAK]), "", json.dumps([other])], local=False)) == 2
    with pytest.raises(IssuersError, match=r"entry 0: issuer: .* is there twice"):
        parse([json.dumps([KEYCLOAK]), json.dumps([KEYCLOAK])], local=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"audiences": []}, "audiences: name at least one"),
        ({"audiences": "almanac"}, "audiences: must be a list of texts"),
        ({"audiences": [1]}, "audiences: must be a list of texts"),
        ({"algorithms": ["HS256"]}, "algorithms: HS256 is not accepted; ES256 and RS256 are"),
        ({"algorithms": ["none"]}, "algorithms: none is not accepted"),
        ({"max_lifetime": 0}, "max_lifetime: must be a number of seconds"),
        ({"max_lifetime": "600"}, "max_lifetime: must be a number of seconds"),
        ({"max_lifetime": True}, "max_lifetime: must be a number of seconds"),
        ({"max_lifetime": 10**9}, "max_lifetime: must be a number of seconds, at most 604800"),
        ({"claims": {"subjekt": "sub"}}, "subjekt: there is no such member; there are audience, email"),
        ({"claims": {"subject": 1}}, "claims: each must be the name of a claim"),
        ({"claims": []}, "must be an object"),
        ({"required": ["typ"]}, "required: must be an object"),
        ({"audience": "almanac"}, "audience: there is no such member"),
        ({"issuer": "http://login.example.org"}, "issuer: must be https"),
        ({"issuer": "login.example.org"}, "issuer: must be an address"),
        ({"issuer": "https://login.example.org?x=1"}, "issuer: must be an address"),
        ({"issuer": "https://user@login.example.org"}, "issuer: must be an address"),
        ({"issuer": None}, "issuer: must be an address"),
        ({"jwks_uri": "http://127.0.0.1:4566/keys"}, "jwks_uri: must be https"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri: must be an address"),
    ],
)
def test_a_bad_entry_says_what_is_wrong(changed: dict[str, Any], said: str) -> None:
    assert said in problem({**KEYCLOAK, **changed})


def test_the_local_stage_reads_keys_on_loopback_and_nowhere_else_in_the_open() -> None:
    entry = {**KEYCLOAK, "jwks_uri": "http://127.0.0.1:4566/pool/.well-known/jwks.json"}
    assert parse([json.dumps([entry])], local=True)
    assert "must be https" in problem({**KEYCLOAK, "jwks_uri": "http://10.0.0.1/keys"}, local=True)


@pytest.mark.parametrize("text", ["{", "{}", '"x"', "[1]"])
def test_what_is_no_list_of_objects_is_refused(text: str) -> None:
    with pytest.raises(IssuersError, match="cannot start: issuers"):
        parse([text], local=False)


def test_the_authorizer_does_not_start_with_a_bad_entry() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ALMANAC_TABLE": "almanac"}
    environment |= {"ALMANAC_EXTRA_ISSUERS": '[{"issuer": "https://a.example.org"}]', "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", "import identity.authorizer"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "cannot start: issuers, entry 0: audiences: name at least one: a token for somebody else must not open this API"
    )
