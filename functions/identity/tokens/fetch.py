"""Reading issuers' documents over https: bounded in time and size, and never led elsewhere by a redirect."""

import json
import time
from functools import cache

import certifi
import urllib3

from identity.issuers import Issuer, address

MAX_BYTES = 512 * 1024
_SECONDS = 2.0
_CHUNK = 64 * 1024


def keys_of(issuer: Issuer) -> bytes:
    """Return an issuer's JWK Set; raises `OSError` or `ValueError`."""
    return _get(issuer.jwks_uri or _discovered(issuer))


def _discovered(issuer: Issuer) -> str:
    document = json.loads(_get(issuer.discovery_uri))
    if not isinstance(document, dict) or document.get("issuer") != issuer.issuer:
        raise ValueError("the discovery document is another issuer's")
    # Only an issuer of the local stage has an address over http.
    return address(document, "jwks_uri", local=issuer.discovery_uri.startswith("http:"))


def _get(url: str) -> bytes:
    ends = time.monotonic() + _SECONDS
    try:
        response = _pool().request(
            "GET",
            url,
            headers={"accept": "application/json", "accept-encoding": "identity"},
            timeout=urllib3.Timeout(total=_SECONDS),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            return _body(response, ends)
        finally:
            response.close()
    except urllib3.exceptions.HTTPError as error:
        raise OSError(str(error)) from None


def _body(response: urllib3.BaseHTTPResponse, ends: float) -> bytes:
    body = b""
    for chunk in response.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        if time.monotonic() > ends:
            raise TimeoutError("the answer took too long")
    return body


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=certifi.where(), maxsize=1)
