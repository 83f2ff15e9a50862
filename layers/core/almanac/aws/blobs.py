"""The one S3 bucket: whole objects by key."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from almanac.aws.clients import Clients, error_code

TRANSIENT = {"lifetime": "transient"}
_DELETE_LIMIT = 1000


class Blobs:
    """Reads and writes of the stack's bucket."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self.bucket = bucket
        self._clients = clients

    async def get(self, key: str) -> bytes | None:
        """Return the whole object, or None when there is none."""
        client = await self._clients.get("s3")
        try:
            answer = await client.get_object(Bucket=self.bucket, Key=key)
        except Exception as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                return None
            raise
        async with answer["Body"] as stream:
            return bytes(await stream.read())

    async def put(self, key: str, body: bytes, *, tags: Mapping[str, str] | None = None) -> None:
        """Write the whole object. Tagged `TRANSIENT`, the bucket's lifecycle removes it after two weeks."""
        client = await self._clients.get("s3")
        arguments: dict[str, Any] = {"Bucket": self.bucket, "Key": key, "Body": body}
        if tags:
            arguments["Tagging"] = "&".join(f"{name}={value}" for name, value in tags.items())
        await client.put_object(**arguments)

    async def put_file(self, key: str, path: str) -> None:
        """Upload a file in parts, without holding it in memory."""
        client = await self._clients.get("s3")
        await client.upload_file(path, self.bucket, key)

    async def get_file(self, key: str, path: str) -> None:
        """Download an object to a file, without holding it in memory."""
        client = await self._clients.get("s3")
        await client.download_file(self.bucket, key, path)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Iterate over the keys under a prefix in order."""
        client = await self._clients.get("s3")
        async for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield entry["Key"]

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects that may be gone already."""
        client = await self._clients.get("s3")
        names = [{"Key": key} for key in keys]
        for start in range(0, len(names), _DELETE_LIMIT):
            chunk = names[start : start + _DELETE_LIMIT]
            await client.delete_objects(Bucket=self.bucket, Delete={"Objects": chunk, "Quiet": True})
