"""The one S3 bucket: whole objects by key, and the versions that a versioned bucket keeps of them.

S3 tells that an object is absent (404) to who may list the whole bucket, which no role may here; to others it says
"forbidden" (403). What is forbidden is therefore looked for in a listing of its key, which the roles may.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from almanac.aws import wall
from almanac.aws.clients import Clients, error_code

TRANSIENT = {"lifetime": "transient"}
_DELETE_LIMIT = 1000
_ABSENT = {"NoSuchKey", "NoSuchVersion", "404"}
_FORBIDDEN = {"AccessDenied", "403"}


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
            if error_code(error) in _ABSENT:
                return None
            if error_code(error) in _FORBIDDEN and await self._is_absent(key, options.get("VersionId")):
                return None
            raise
        async with answer["Body"] as stream:
            return bytes(await stream.read())

    async def _is_absent(self, key: str, version_id: str | None) -> bool:
        """Tell whether there is no such object, or no such version of it."""
        if version_id is not None:
            return not [v async for v in self.versions(key) if (v.key, v.version_id) == (key, version_id)]
        client = await self._clients.get("s3")
        # A key sorts before all that it begins.
        answer = await client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return [entry["Key"] for entry in answer.get("Contents", [])] != [key]

    async def address(self, key: str, seconds: int, name: str) -> str:
        """Return where anyone may download an object for a while, as a file of this name."""
        client = await self._clients.get("s3")
        given = {"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": f'attachment; filename="{name}"'}
        with wall.lasting(seconds):
            return str(await client.generate_presigned_url("get_object", Params=given, ExpiresIn=seconds))

    async def upload_address(self, key: str, seconds: int, tags: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """Return where anyone may put an object for a while, and the headers that the request must have."""
        client = await self._clients.get("s3")
        tagging = "&".join(f"{name}={value}" for name, value in tags.items())
        given = {"Bucket": self.bucket, "Key": key, "Tagging": tagging}
        with wall.lasting(seconds):
            url = str(await client.generate_presigned_url("put_object", Params=given, ExpiresIn=seconds))
        return url, {"x-amz-tagging": tagging}

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
                yield _version(entry)

    async def keeps_versions(self) -> bool:
        """Tell whether a put leaves what was there before, under an id of its own."""
        client = await self._clients.get("s3")
        answer = await client.get_bucket_versioning(Bucket=self.bucket)
        return bool(answer.get("Status") == "Enabled")

    async def erase(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        """Remove every version under a prefix, marks of deletions too, page by page; yields what was removed.

        A mark has the size 0.
        """
        client = await self._clients.get("s3")
        while True:
            answer = await client.list_object_versions(Bucket=self.bucket, Prefix=prefix)
            entries = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
            found = [_version(entry) for entry in entries]
            if not found:
                return
            await self.delete_versions(found)
            yield found

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


def _version(entry: Mapping[str, Any]) -> ObjectVersion:
    return ObjectVersion(entry["Key"], entry.get("VersionId") or "null", entry["LastModified"], entry.get("Size", 0))
