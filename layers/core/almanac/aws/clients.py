"""AWS clients: one per service for the life of an execution environment, on its one event loop."""

import asyncio
import threading
from typing import Any

from almanac.aws import wall
from almanac.errors import Unavailable

TENANT_DATA = {"dynamodb", "s3", "kms"}
"""The services whose clients sign for the tenant that the current task works for."""


class Clients:
    """Opens aioboto3 clients on first use and keeps them.

    They belong to the loop that opened them: `Mangum(lifespan="off")` and the queue workers share one per environment.
    With a `data_role_arn`, those of `TENANT_DATA` stand behind `almanac.aws.wall`.
    """

    def __init__(self, data_role_arn: str = "") -> None:
        self._data_role_arn = data_role_arn
        self._opening: dict[str, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own: Any = None
        self._data: Any = None
        self._sessions = wall.Sessions(self._assume)
        self._loader: Any = None
        self._preparing = threading.Lock()

    async def get(self, service: str, endpoint: str | None = None) -> Any:
        """Return the client of `service` ("dynamodb", "s3", "sqs", "kms", "sts", "bedrock-runtime").

        `endpoint` is where it is called, for a service that has no address of its own; always the same for one service.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._opening, self._loop = {}, loop
            self._data, self._sessions = None, wall.Sessions(self._assume)
        if service not in self._opening:
            self._opening[service] = loop.create_task(self._open(service, endpoint))
        try:
            return await asyncio.shield(self._opening[service])
        except Exception:
            self._opening.pop(service, None)
            raise

    async def _open(self, service: str, endpoint: str | None) -> Any:
        session, config = await asyncio.to_thread(self._prepare, service)
        return await session.client(service, config=config, endpoint_url=endpoint).__aenter__()

    def _prepare(self, service: str) -> tuple[Any, Any]:
        """Import the library and parse the service's model: a tenth of a second that must not hold the loop."""
        import aioboto3
        from aiobotocore.session import AioSession
        from botocore.config import Config

        with self._preparing:
            if self._own is None:
                core = AioSession()
                self._own = aioboto3.Session(botocore_session=core)
                self._loader = core.get_component("data_loader")
                self._loader.load_data("endpoints")
            behind_wall = self._data_role_arn and service in TENANT_DATA
            if behind_wall and self._data is None:
                core = AioSession()
                core.register_component("data_loader", self._loader)
                bound = wall.BoundCredentials(self._sessions, self._own.get_credentials)
                core.register_component("credential_provider", bound)
                self._data = aioboto3.Session(botocore_session=core)
            self._loader.load_service_model(service, "service-2")
            self._loader.load_service_model(service, "endpoint-rule-set-1")
        config = Config(
            # Said for S3 alone: an address that is signed for others to use would get the signature before this one,
            # which newer buckets refuse, and which holds nobody to the length of a part.
            signature_version="s3v4" if service == "s3" else None,
            connect_timeout=3,
            read_timeout=60,
            max_pool_connections=32,
            retries={"mode": "standard", "max_attempts": 4},
        )
        return (self._data if behind_wall else self._own), config

    async def _assume(self, tenant_id: str) -> wall.Session:
        return await wall.assume(await self.get("sts"), self._data_role_arn, tenant_id)

    async def close(self) -> None:
        """Close what was opened on the running loop."""
        opening, self._opening = self._opening, {}
        for task in opening.values():
            await (await task).__aexit__(None, None, None)


def error_code(error: Exception) -> str:
    """Return the AWS error code of a botocore `ClientError`, or an empty string."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


class StoreUnavailable(Unavailable):
    """DynamoDB, S3 or KMS did not answer in time."""

    code = "store_unavailable"
