"""AWS clients: one per service for the life of an execution environment, on its one event loop."""

import asyncio
import threading
from typing import Any

from almanac.errors import Unavailable


class Clients:
    """Opens aioboto3 clients on first use and keeps them.

    They belong to the loop that opened them: `Mangum(lifespan="off")` and the queue workers share one per environment.
    """

    def __init__(self) -> None:
        self._opening: dict[str, asyncio.Task[Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Any = None
        self._loader: Any = None
        self._preparing = threading.Lock()

    async def get(self, service: str) -> Any:
        """Return the client of `service` ("dynamodb", "s3", "sqs", "kms", "bedrock-runtime")."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._opening, self._loop = {}, loop
        if service not in self._opening:
            self._opening[service] = loop.create_task(self._open(service))
        try:
            return await asyncio.shield(self._opening[service])
        except Exception:
            self._opening.pop(service, None)
            raise

    async def _open(self, service: str) -> Any:
        config = await asyncio.to_thread(self._prepare, service)
        return await self._session.client(service, config=config).__aenter__()

    def _prepare(self, service: str) -> Any:
        """Import the library and parse the service's model: a tenth of a second that must not hold the loop."""
        import aioboto3
        from aiobotocore.session import AioSession
        from botocore.config import Config

        with self._preparing:
            if self._session is None:
                core = AioSession()
                self._session = aioboto3.Session(botocore_session=core)
                self._loader = core.get_component("data_loader")
                self._loader.load_data("endpoints")
            self._loader.load_service_model(service, "service-2")
            self._loader.load_service_model(service, "endpoint-rule-set-1")
        return Config(
            connect_timeout=3,
            read_timeout=60,
            max_pool_connections=32,
            retries={"mode": "standard", "max_attempts": 4},
        )

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
