"""The stack stands: public routes answer, private ones ask for a key, and a key opens its own tenant."""

from collections.abc import Callable

import httpx

from tests.e2e.conftest import Tenant


def test_health_answers_and_looks_at_every_part(client: httpx.Client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    parts = client.get("/health", params={"deep": "true"}).json()["parts"]
    assert {name for name, part in parts.items() if part["status"] == "ok"} == set(parts)
    assert {
        "table",
        "bucket",
        "sync_queue",
        "projects_queue",
        "embedding_queue",
        "index_queue",
        "identity_queue",
    } <= set(parts)


def test_the_documentation_and_everything_it_loads_is_served(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    for page in ("/docs", "/redoc"):
        assert client.get(page).headers["content-type"].startswith("text/html")


def test_a_request_without_a_key_is_refused(client: httpx.Client) -> None:
    assert client.get("/api/v1/tenants/me").status_code == 401


def test_a_request_with_a_forged_key_is_refused(client: httpx.Client) -> None:
    headers = {"authorization": "Bearer alm_00000000000000000000000000_forged"}
    assert client.get("/api/v1/tenants/me", headers=headers).status_code in {401, 403}


def test_a_key_opens_its_own_tenant(new_tenant: Callable[[], Tenant]) -> None:
    first, second = new_tenant(), new_tenant()
    assert first.client.get("/api/v1/tenants/me").json()["id"] == first.id
    assert second.client.get("/api/v1/tenants/me").json()["id"] == second.id


def test_pages_of_other_origins_may_call_the_local_address(client: httpx.Client) -> None:
    asking = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    answer = client.options("/api/v1/messages", headers=asking)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] in {"*", "http://localhost:3000"}
