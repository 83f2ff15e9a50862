"""API Gateway's side of open connections: posting to one, and closing it."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from almanac.aws.clients import Clients, error_code
from almanac.observability import log

PATIENCE_SECONDS = 3.0
SERVICE = "apigatewaymanagementapi"


class Posted(Enum):
    """What became of a text. `GONE`: the connection is closed. `FAILED`: nobody knows whether it arrived."""

    DELIVERED = auto()
    GONE = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Gateway:
    """The management endpoint of the WebSocket API. It is called as the function itself: it knows no tenants."""

    clients: Clients
    endpoint: str

    async def post(self, connection_id: str, text: str) -> Posted:
        """Send a text over a connection, within `PATIENCE_SECONDS`."""
        try:
            client = await self.clients.get(SERVICE, self.endpoint)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await client.post_to_connection(ConnectionId=connection_id, Data=text.encode())
        except Exception as error:  # noqa: BLE001 - whatever befell one connection is not the others' affair
            if error_code(error) == "GoneException":
                return Posted.GONE
            log("warning", "connection not reached", cause=error_code(error) or type(error).__name__)
            return Posted.FAILED
        return Posted.DELIVERED

    async def close(self, connection_id: str) -> None:
        """Close a connection, if it is still open."""
        try:
            client = await self.clients.get(SERVICE, self.endpoint)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await client.delete_connection(ConnectionId=connection_id)
        except Exception as error:  # noqa: BLE001 - a closed one is what was wanted; nothing is told on another again
            if error_code(error) != "GoneException":
                log("warning", "connection not closed", cause=error_code(error) or type(error).__name__)
