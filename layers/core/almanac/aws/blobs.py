"""The one S3 bucket: whole objects by key, and the versions that a versioned bucket keeps of them.

S3 tells that an object is absent (404) to who may list the whole bucket, which no role may here; to others it says
"forbidden" (403). What is forbidden is therefore looked for in a listing of its key, which the roles may.
"""

import base64
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from almanac.aws import wall
from almanac.aws.clients import Clients, error_code

TRANSIENT = {"lifetime": "transient"}
_DELETE_LIMIT = 1000
_ABSENT = {"NoSuchKey", "NoSuchVersion", "404"}
_FORBIDDEN = {"AccessDenied", "403"}
_UNQUOTABLE = re.compile(r'[^\x20-\x7e]|["\\%]')


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object. Its id is `null` when it was written while the bucket kept no versions."""

    key: str
    version_id: str
    written_at: datetime
    size: int


@dataclass(frozen=True)
class ObjectHead:
    """What the bucket says of an object. `sha256` (hex) is given where it checked the whole of the bytes against one.

    `version_id` is empty where the bucket keeps no versions.
    """

    size: int
    sha256: str | None = None
    version_id: str = ""


@dataclass(frozen=True)
class Form:
    """Where a file is posted as multipart/form-data: with these fields first, and the file as the last, `file`."""

    url: str
    fields: dict[str, str]


class Blobs:
    """Reads and writes of the stack's bucket."""

    def __init__(self, bucket: str, clients: Clients) -> None:
        self.bucket = bucket
        self._clients = clients

    async def get(self, key: str) -> bytes | None:
        """Return the whole object, or None when there is none."""
        return await self._get(key, {})

    async def get_range(self, key: str, start: int, length: int, version_id: str = "") -> bytes | None:
        """Return `length` bytes from `start`, or what there is of them; None when there is no object or version."""
        version = {"VersionId": version_id} if version_id else {}
        try:
            return await self._get(key, {"Range": f"bytes={start}-{start + length - 1}", **version})
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
            if await self._says_absent(error, key, options.get("VersionId", "")):
                return None
            raise
        async with answer["Body"] as stream:
            return bytes(await stream.read())

    async def _says_absent(self, error: Exception, key: str, version_id: str = "") -> bool:
        """Tell whether a read failed because there is no such object, or no such version of it."""
        return error_code(error) in _ABSENT or (
            error_code(error) in _FORBIDDEN and await self._is_absent(key, version_id)
        )

    async def _is_absent(self, key: str, version_id: str) -> bool:
        """Look whether there is no such object, or no such version of it."""
        if version_id:
            return not [v async for v in self.versions(key) if (v.key, v.version_id) == (key, version_id)]
        client = await self._clients.get("s3")
        # A key sorts before all that it begins.
        answer = await client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return [entry["Key"] for entry in answer.get("Contents", [])] != [key]

    async def head(self, key: str) -> ObjectHead | None:
        """Return what is known of an object without its bytes, or None when there is none."""
        client = await self._clients.get("s3")
        try:
            answer = await client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except Exception as error:
            if await self._says_absent(error, key):
                return None
            raise
        # Of an upload in parts the bucket has a checksum of checksums, which says nothing about the whole.
        digest = answer.get("ChecksumSHA256", "")
        sha256 = base64.b64decode(digest).hex() if digest and "-" not in digest else None
        version_id = answer.get("VersionId", "")
        return ObjectHead(answer["ContentLength"], sha256, "" if version_id == "null" else version_id)

    async def chunks(self, key: str, size: int, version_id: str = "") -> AsyncIterator[bytes]:
        """Iterate over an object's bytes, or that version's, without holding it in memory; nothing when it is gone."""
        client = await self._clients.get("s3")
        options = {"VersionId": version_id} if version_id else {}
        try:
            answer = await client.get_object(Bucket=self.bucket, Key=key, **options)
        except Exception as error:
            if await self._says_absent(error, key, version_id):
                return
            raise
        async with answer["Body"]:
            async for chunk in answer["Body"].iter_chunks(size):
                yield bytes(chunk)

    async def address(self, key: str, seconds: int, name: str, version_id: str = "") -> str:
        """Return where anyone may download an object, or that version of it, for a while, as a file of this name."""
        client = await self._clients.get("s3")
        given = {"Bucket": self.bucket, "Key": key, "ResponseContentDisposition": attachment(name)}
        given |= {"VersionId": version_id} if version_id else {}
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

    async def form(
        self, key: str, seconds: int, *, content_type: str, sizes: tuple[int, int], sha256: str | None
    ) -> Form:
        """Return the form by which anyone may put one object for a while: this key, this type, so many bytes.

        With `sha256` (hex) the bucket takes no other bytes.
        """
        client = await self._clients.get("s3")
        fields = {"Content-Type": content_type}
        if sha256 is not None:
            digest = base64.b64encode(bytes.fromhex(sha256)).decode()
            fields |= {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": digest}
        conditions = [*({name: value} for name, value in fields.items()), ["content-length-range", *sizes]]
        with wall.lasting(seconds):
            given = await client.generate_presigned_post(
                self.bucket, key, Fields=fields, Conditions=conditions, ExpiresIn=seconds
            )
        return Form(given["url"], given["fields"])

    async def begin_parts(self, key: str, content_type: str) -> str:
        """Begin an upload in parts; returns its id."""
        client = await self._clients.get("s3")
        answer = await client.create_multipart_upload(Bucket=self.bucket, Key=key, ContentType=content_type)
        return str(answer["UploadId"])

    async def part_addresses(self, key: str, upload_id: str, seconds: int, sizes: Sequence[int]) -> list[str]:
        """Return where anyone may put each part for a while, of exactly its size; parts are numbered from 1."""
        client = await self._clients.get("s3")
        given = {"Bucket": self.bucket, "Key": key, "UploadId": upload_id}
        with wall.lasting(seconds):
            return [
                await client.generate_presigned_url(
                    "upload_part", Params={**given, "PartNumber": number, "ContentLength": size}, ExpiresIn=seconds
                )
                for number, size in enumerate(sizes, start=1)
            ]

    async def put_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Upload one part, numbered from 1; returns what `end_parts` names it by."""
        client = await self._clients.get("s3")
        answer = await client.upload_part(Bucket=self.bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
        return str(answer["ETag"])

    async def end_parts(self, key: str, upload_id: str, etags: Mapping[int, str]) -> None:
        """Make an object of its parts; raises what the bucket says of an upload or of parts that it does not know."""
        client = await self._clients.get("s3")
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(etags.items())]
        await client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )

    async def abort_parts(self, key: str, upload_id: str) -> None:
        """Forget an upload in parts, which may be gone already."""
        client = await self._clients.get("s3")
        try:
            await client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload_id)
        except Exception as error:
            if error_code(error) != "NoSuchUpload":
                raise

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

    async def find_file(self, key: str, path: str, version_id: str = "") -> bool:
        """Download an object, or that version of it, to a file; False when there is none."""
        client = await self._clients.get("s3")
        options = {"ExtraArgs": {"VersionId": version_id}} if version_id else {}
        try:
            await client.download_file(self.bucket, key, path, **options)
        except Exception as error:
            if await self._says_absent(error, key, version_id):
                return False
            raise
        return True

    async def list(self, prefix: str, after: str = "") -> AsyncIterator[str]:
        """Iterate over the keys under a prefix in order, those after `after`."""
        client = await self._clients.get("s3")
        given = {"Bucket": self.bucket, "Prefix": prefix} | ({"StartAfter": after} if after else {})
        async for page in client.get_paginator("list_objects_v2").paginate(**given):
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


def attachment(name: str) -> str:
    """Return the header that has a browser save what it is sent under this name, whatever that holds (RFC 6266)."""
    plain = _UNQUOTABLE.sub("_", name)
    extended = f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}" if plain != name else ""
    return f'attachment; filename="{plain}"{extended}'


def _version(entry: Mapping[str, Any]) -> ObjectVersion:
    return ObjectVersion(entry["Key"], entry.get("VersionId") or "null", entry["LastModified"], entry.get("Size", 0))
