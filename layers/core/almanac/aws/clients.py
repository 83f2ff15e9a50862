"""AWS clients: one per service for the life of an execution environment, on its one event loop."""

import asyncio
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
        import aioboto3
        from botocore.config import Config

        if self._session is None:
            self._session = aioboto3.Session()
        config = Config(
            connect_timeout=3,
            read_timeout=60,
            max_pool_connections=32,
            retries={"mode": "standard", "max_attempts": 4},
        )
        return await self._session.client(service, config=config).__aenter__()

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
