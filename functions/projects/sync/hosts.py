"""Which hosts may be synced from: judged by the address as it is written, and again by where a name leads.

The first judgement (`check_url`) is for people: it refuses at once what can never work. The second (`resolve`) is the
wall: it runs for every connection, and the connection goes to the very address that it allowed.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from almanac.errors import Unprocessable
from almanac.hosts import Address, RefusedHost, is_public, looks_public, numeric_host, resolve

__all__ = [
    "Address",
    "RefusedHost",
    "UnsuitableUrl",
    "check_url",
    "is_public",
    "numeric_host",
    "origin",
    "resolve",
]

_MAX_URL = 2048
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


class UnsuitableUrl(Unprocessable):
    """The address of a repository cannot be used."""

    code = "unsuitable_repository_url"
    title = "The repository's address cannot be used"


def check_url(url: str, *, allow_private: bool, field: str = "url") -> str:
    """Return the address in its plain form; raises `UnsuitableUrl` naming `field`.

    https only, no credentials, query or fragment, and no host that is private by its name or number in any notation.
    `allow_private` (the local stage) lets http and every host pass.
    """
    parts = _split(url, field)
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise UnsuitableUrl("Use an https:// address.", field=field)
    if "@" in parts.netloc:
        raise UnsuitableUrl("Leave user names and tokens out of the address; give a token separately.", field=field)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise UnsuitableUrl("Leave out everything after '?' or '#'.", field=field)
    if not parts.path.strip("/"):
        raise UnsuitableUrl("The address names a host but no repository.", field=field)
    host = _host(parts, field)
    if not allow_private and not looks_public(host):
        raise UnsuitableUrl("This host is private or reserved; use a public host.", field=field)
    port = _port(parts, field)
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[parts.scheme]
    netloc = shown if port in {None, default} else f"{shown}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address that was checked."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def _split(url: str, field: str) -> SplitResult:
    if len(url) > _MAX_URL:
        raise UnsuitableUrl(f"The address is longer than {_MAX_URL} characters.", field=field)
    if not url.isprintable() or re.search(r"[\s\\]", url):
        raise UnsuitableUrl("The address holds blanks, backslashes or control characters.", field=field)
    try:
        parts = urlsplit(url)
        _ = parts.hostname
    except ValueError:
        raise UnsuitableUrl("This is not an address.", field=field) from None
    return parts


def _host(parts: SplitResult, field: str) -> str:
    """Return the host in lower-case ASCII: full-width digits and dots become plain ones before anything judges them."""
    host = parts.hostname or ""
    if ":" in host:
        if "%" in host:
            raise UnsuitableUrl("An address with a zone is of one machine only.", field=field)
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise UnsuitableUrl("The host is not an IPv6 address.", field=field) from None
    try:
        plain = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        plain = ""
    if not plain or plain.endswith(".") or len(plain) > 253:
        raise UnsuitableUrl("The address names no host, or one that ends with a dot.", field=field)
    if not all(_LABEL.fullmatch(label) for label in plain.split(".")):
        raise UnsuitableUrl("The host holds characters that a host name cannot.", field=field)
    return plain


def _port(parts: SplitResult, field: str) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UnsuitableUrl("The port is not a number from 1 to 65535.", field=field)
    return port
