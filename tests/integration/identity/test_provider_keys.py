"""Provider keys over HTTP: they go in, they are used, and they never come out."""

import json
from typing import Any

import pytest

from almanac import runtime, tenancy
from almanac.access import Role
from almanac.accounts import Account
from almanac.aws.table import plain
from search import wiring
from tests.integration.harness import READ, WRITE, Answer, Stack, person

KEY = "sk-test-" + "4f9aZx" * 6
PATH = "/api/v1/provider-keys"


class Tenant:
    def __init__(self, stack: Stack) -> None:
        self.stack, self.id = stack, stack.tenant()

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self.stack.call("identity", method, path, body, tenant=self.id, **more)

    def account(self) -> Account:
        """Return what the search function calls a model with for the tenant, in a new environment."""
        wiring.accounts.cache_clear()

        async def current() -> Account:
            with tenancy.working_for(self.id):
                return await wiring.accounts().of("openai")()

        return runtime.run(current())


@pytest.fixture
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


def test_a_key_is_set_listed_without_itself_used_and_removed(tenant: Tenant) -> None:
    assert tenant.call("GET", PATH).json == {"items": []}
    assert not tenant.account().own
    made = tenant.call("PUT", f"{PATH}/openai", {"key": KEY, "base_url": "https://models.example.org/v1"})
    assert made.status == 200 and KEY not in made.text
    assert (made.json["ending"], made.json["base_url"]) == (KEY[-4:], "https://models.example.org/v1")
    assert tenant.call("GET", PATH).json["items"] == [made.json]
    account = tenant.account()
    assert (account.api_key, account.base_url, account.own) == (KEY, "https://models.example.org/v1", True)
    assert tenant.call("DELETE", f"{PATH}/openai").status == 204
    assert not tenant.account().own
    assert tenant.call("DELETE", f"{PATH}/openai").json["code"] == "provider_key_not_found"


def test_a_key_takes_the_place_of_the_one_before(tenant: Tenant) -> None:
    tenant.call("PUT", f"{PATH}/openai", {"key": KEY, "base_url": "https://models.example.org/v1"})
    tenant.call("PUT", f"{PATH}/openai", {"key": KEY[::-1]})
    account = tenant.account()
    assert (account.api_key, account.base_url) == (KEY[::-1], wiring.settings().openai_base_url)


def test_a_key_lies_in_the_table_in_an_envelope_only(tenant: Tenant) -> None:
    tenant.call("PUT", f"{PATH}/openai", {"key": KEY})
    items = [plain(item) for item in tenant.stack.client("dynamodb").scan(TableName="almanac")["Items"]]
    assert not [item for item in items if KEY in repr(item)]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"key": KEY, "base_url": "ftp://models.example.org/v1"}, "unsuitable_provider_address"),
        ({"key": KEY, "base_url": "https://u:p@models.example.org/v1"}, "unsuitable_provider_address"),
        ({"key": KEY, "base_url": f"https://models.example.org/{KEY}/v1"}, "unsuitable_provider_address"),
        ({"key": f"{KEY} {KEY}"}, "unsuitable_provider_key"),
        ({"key": KEY, "more": 1}, "validation_failed"),
        ({"key": [KEY]}, "validation_failed"),
        ({"key": KEY * 100}, "validation_failed"),
        ({"key": KEY, "base_url": 5}, "validation_failed"),
    ],
)
def test_a_refused_key_is_not_repeated_to_anybody(
    tenant: Tenant, body: dict[str, Any], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = tenant.call("PUT", f"{PATH}/openai", body)
    assert (answer.status, answer.json["code"]) == (422, code)
    assert KEY not in json.dumps(answer.json) + capsys.readouterr().out


def test_an_unknown_provider_answers_with_those_there_are(tenant: Tenant) -> None:
    answer = tenant.call("PUT", f"{PATH}/nobody", {"key": KEY})
    assert (answer.status, answer.json["code"]) == (404, "provider_unknown") and "openai" in answer.json["detail"]


def test_only_who_manages_secrets_sees_or_sets_keys(tenant: Tenant) -> None:
    for more in ({"scope": WRITE}, {"scope": READ}, {"caller": person(tenant.id, Role.MEMBER)}):
        assert tenant.call("GET", PATH, **more).status == 403
        assert tenant.call("PUT", f"{PATH}/openai", {"key": KEY}, **more).status == 403
    assert tenant.call("PUT", f"{PATH}/openai", {"key": KEY}, caller=person(tenant.id, Role.ADMIN)).status == 200
