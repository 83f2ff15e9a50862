"""Accounts at providers: each tenant's texts go with its own key, to where it said, and never inside our network."""

import asyncio
import socket
from typing import Any, cast

import httpx
import numpy  # noqa: F401 - the first embedder would import it on the event loop
import pytest

from almanac import tenancy
from almanac.accounts import Account, Accounts, problem_with, resource_of, sealed, walled_client
from almanac.aws import keys
from almanac.aws.secrets import BrokenEnvelope, Secrets
from almanac.aws.table import Table
from almanac.embeddings.openai import OpenAIEmbedder
from almanac.errors import TerminalError
from almanac.llm.base import Completion, Message
from almanac.llm.openai import OpenAILanguageModel

DEFAULT = Account("https://api.openai.com/v1", "the-deployments-key")


class Store:
    """The two ports that accounts read through: items by key, and envelopes that open for whom they were sealed."""

    def __init__(self) -> None:
        self.items: dict[keys.Key, dict[str, Any]] = {}
        self.reads = 0

    def give(self, tenant: str, key: str, base_url: str | None = None) -> None:
        cipher = f"{tenant}|{resource_of('openai')}|{sealed(key, base_url)}".encode()
        self.items[keys.provider_key(tenant, "openai")] = {"cipher": cipher, "base_url": "https://evil.example/v1"}

    async def get(self, key: keys.Key) -> dict[str, Any] | None:
        self.reads += 1
        return self.items.get(key)

    async def decrypt(self, cipher: bytes, *, tenant_id: str, resource_id: str) -> str:
        tenant, resource, plain = cipher.decode().split("|", 2)
        if (tenant, resource) != (tenant_id, resource_id):
            raise BrokenEnvelope("another's")
        return plain


class World:
    def __init__(self) -> None:
        self.store, self.time = Store(), 0.0
        self.requests: list[httpx.Request] = []
        self.accounts = Accounts(
            cast("Table", self.store), lambda: cast("Secrets", self.store), {"openai": DEFAULT}, clock=lambda: self.time
        )

    def transport(self) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            if request.url.path.endswith("/embeddings"):
                return httpx.Response(200, json={"data": [{"index": 0, "embedding": [1.0, 0.0, 0.0]}]})
            return httpx.Response(200, json={"choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}]})

        return httpx.MockTransport(answer)

    def calls(self, *tenants: str | None) -> list[tuple[str, str]]:
        """Embed a text for each tenant after another with one embedder; returns where it went with which key."""
        embedder = OpenAIEmbedder(
            "small",
            base_url=DEFAULT.base_url,
            api_key=None,
            dimensions=3,
            transport=self.transport(),
            account=self.accounts.of("openai"),
        )

        async def all_of_them() -> None:
            for tenant in tenants:
                if tenant is None:
                    await embedder.embed_query("elephants")
                    continue
                with tenancy.working_for(tenant):
                    await embedder.embed_query("elephants")

        asyncio.run(all_of_them())
        return [(str(request.url), request.headers["authorization"]) for request in self.requests]


def test_each_tenants_texts_go_with_its_own_key_to_its_own_address() -> None:
    world = World()
    world.store.give("ten_1", "key-of-one")
    world.store.give("ten_2", "key-of-two", "https://models.example.org/v1/")
    assert world.calls("ten_1", "ten_2", "ten_3", None, "ten_1") == [
        ("https://api.openai.com/v1/embeddings", "Bearer key-of-one"),
        ("https://models.example.org/v1/embeddings", "Bearer key-of-two"),
        ("https://api.openai.com/v1/embeddings", "Bearer the-deployments-key"),
        ("https://api.openai.com/v1/embeddings", "Bearer the-deployments-key"),
        ("https://api.openai.com/v1/embeddings", "Bearer key-of-one"),
    ]


def test_questions_go_with_the_tenants_key_too() -> None:
    world = World()
    world.store.give("ten_1", "key-of-one")
    model = OpenAILanguageModel(
        "m", base_url="", api_key=None, transport=world.transport(), account=world.accounts.of("openai")
    )

    async def ask() -> None:
        with tenancy.working_for("ten_1"):
            await model.complete(Completion("be brief", [Message("user", "are elephants grey?")]))

    asyncio.run(ask())
    assert [request.headers["authorization"] for request in world.requests] == ["Bearer key-of-one"]


def test_a_key_that_was_removed_is_used_for_a_minute_at_most() -> None:
    world = World()
    world.store.give("ten_1", "key-of-one")
    world.calls("ten_1")
    world.store.items.clear()
    world.time = 59
    assert world.calls("ten_1")[-1][1] == "Bearer key-of-one"
    world.time = 61
    assert world.calls("ten_1")[-1][1] == "Bearer the-deployments-key"


def test_another_tenants_envelope_is_no_key_and_the_deployments_is_not_used_in_its_place() -> None:
    world = World()
    world.store.give("ten_1", "key-of-one")
    world.store.items[keys.provider_key("ten_2", "openai")] = world.store.items[keys.provider_key("ten_1", "openai")]
    with pytest.raises(TerminalError) as error:
        world.calls("ten_2")
    assert error.value.code == "provider_key_unreadable" and world.requests == []


def test_an_account_never_shows_its_key() -> None:
    assert "key-of-one" not in repr(Account("https://models.example.org", "key-of-one", own=True))


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example.org/v1",
        "https://localhost/v1",
        "https://127.0.0.1/v1",
        "https://2130706433/v1",
        "https://0x7f.1/v1",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/v1",
        "https://[::ffff:10.0.0.1]/v1",
        "https://10.1.2.3:8080/v1",
        "https://metadata.internal/v1",
        "https://user:password@models.example.org/v1",
        "https://models.example.org/v1?x=1",
        "https://models.example.org/v1#x",
        "https://models.example.org./v1",
        "https://models.example.org:99999/v1",
        "https://models。example。org/v1",
        "https:///v1",
        "file:///etc/passwd",
        "https://models.example.org/v1\r\nhost: evil",
        "",
    ],
)
def test_an_address_that_is_not_public_https_is_refused(url: str) -> None:
    assert problem_with(url, allow_private=False) is not None


def test_a_public_address_is_taken_and_the_local_stage_takes_loopback() -> None:
    assert problem_with("https://models.example.org:8443/v1", allow_private=False) is None
    assert problem_with("http://127.0.0.1:11434/v1", allow_private=True) is None


def serve_once() -> tuple[socket.socket, int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.settimeout(0.3)
    return listener, int(listener.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "rebound.example.org"])
def test_no_connection_is_made_to_an_address_that_is_not_public(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, port = serve_once()

    def rebound(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr("almanac.hosts.socket.getaddrinfo", rebound)

    async def call() -> None:
        async with await asyncio.to_thread(walled_client, seconds=5, allow_private=False) as client:
            await client.post(f"https://{host}:{port}/v1/embeddings", json={})

    with listener:
        with pytest.raises(httpx.ConnectError, match="not to be reached"):
            asyncio.run(call())
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_wall_lets_the_local_stage_through_and_follows_no_redirect() -> None:
    import threading

    listener, port = serve_once()
    listener.settimeout(5)

    def redirect() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")

    async def call() -> int:
        async with await asyncio.to_thread(walled_client, seconds=5, allow_private=True) as client:
            return (await client.post(f"http://127.0.0.1:{port}/v1/embeddings", json={})).status_code

    with listener:
        thread = threading.Thread(target=redirect)
        thread.start()
        assert asyncio.run(call()) == 302
        thread.join()
