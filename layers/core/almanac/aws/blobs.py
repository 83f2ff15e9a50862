"""The one S3 bucket: whole objects by key, and the versions that a versioned bucket keeps of them."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from almanac.aws.clients import Clients, error_code

TRANSIENT = {"lifetime": "transient"}
_DELETE_LIMIT = 1000


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object. Its id is `null` when it was written while the bucket kept no versions."""

    key: str
    version_id: str
    written_at: datetime
    size: int


class Blobs:
    """Reads and writes of the stack's bucket."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self.bucket = bucket
        self._clients = clients

    async def get(self, key: str) -> bytes | None:
        """Return the whole object, or None when there is none."""
        return await self._get(key, {})

    async def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """Return `length` bytes from `start`, or what there is of them; None when there is no object."""
        try:
            return await self._get(key, {"Range": f"bytes={start}-{start + length - 1}"})
        except Exception as error:
            if error_code(error) in {"InvalidRange", "416"}:
                return b""
            raise

    async def get_version(self, key: str, version_id: str) -> bytes | None:
        """Return one version of an object, or None when there is none."""
        return await self._get(key, {"VersionId": version_id})

    async def _get(self, key: str, options: Mapping[str, str]) -> bytes | None:
        client = await self._clients.get("s3")
        try:
            answer = await client.get_object(Bucket=self.bucket, Key=key, **options)
        except Exception as error:
            if error_code(error) in {"NoSuchKey", "NoSuchVersion", "404"}:
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

    async def versions(self, prefix: str) -> AsyncIterator[ObjectVersion]:
        """Iterate over all versions of the objects under a prefix; marks of deletions are left out."""
        client = await self._clients.get("s3")
        async for page in client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Versions", []):
                version_id = entry.get("VersionId") or "null"
                yield ObjectVersion(entry["Key"], version_id, entry["LastModified"], entry["Size"])

    async def keeps_versions(self) -> bool:
        """Tell whether a put leaves what was there before, under an id of its own."""
        client = await self._clients.get("s3")
        answer = await client.get_bucket_versioning(Bucket=self.bucket)
        return bool(answer.get("Status") == "Enabled")

    async def delete_versions(self, versions: Iterable[ObjectVersion]) -> None:
        """Remove these versions, which may be gone already, and no other."""
        client = await self._clients.get("s3")
        names = [{"Key": version.key, "VersionId": version.version_id} for version in versions]
        for start in range(0, len(names), _DELETE_LIMIT):
            chunk = names[start : start + _DELETE_LIMIT]
            await client.delete_objects(Bucket=self.bucket, Delete={"Objects": chunk, "Quiet": True})

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects that may be gone already."""
        client = await self._clients.get("s3")
        names = [{"Key": key} for key in keys]
        for start in range(0, len(names), _DELETE_LIMIT):
            chunk = names[start : start + _DELETE_LIMIT]
            await client.delete_objects(Bucket=self.bucket, Delete={"Objects": chunk, "Quiet": True})
