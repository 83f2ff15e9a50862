"""Which hosts may be synced from: judged by the address as it is written, and again by where a name leads.

The first judgement (`check_url`) is for people: it refuses at once what can never work. The second (`resolve`) is the
wall: it runs for every connection, and the connection goes to the very address that it allowed.
"""

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from almanac.errors import Unprocessable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_URL = 2048
_PRIVATE_SUFFIXES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "test", "invalid")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# Not for the public, whatever this Python's tables say: protocol assignments (a cloud's metadata service among them),
# documentation, retired relays, segment routing, local translation, and another cloud's host agent.
_RESERVED = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "5f00::/16", "64:ff9b:1::/48")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class UnsuitableUrl(Unprocessable):
    """The address of a repository cannot be used."""

    code = "unsuitable_repository_url"
    title = "The repository's address cannot be used"


class RefusedHost(Exception):
    """A host name leads to an address that is not on the public internet."""


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
    if not allow_private and not _looks_public(host):
        raise UnsuitableUrl("This host is private or reserved; use a public host.", field=field)
    port = _port(parts, field)
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}[parts.scheme]
    netloc = shown if port in {None, default} else f"{shown}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, also when it is wrapped in another one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or int(address) >> 32 == 0:
            return False
    if any(address in network for network in _RESERVED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[socket.AddressFamily, str]]:
    """Return the numeric addresses of a host, in the order to try them; raises `RefusedHost` or `OSError`.

    One private address among public ones refuses the host: that is how a name is rebound.
    """
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found = [(family, str(target[0])) for family, _, _, _, target in answers]
    if not allow_private:
        for _, text in found:
            if not is_public(ipaddress.ip_address(text.partition("%")[0])):
                raise RefusedHost(host)
    return list(dict.fromkeys(found))


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address that was checked."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)


def numeric_host(host: str) -> Address | None:
    """Return the address that a host's text stands for in any notation that some library accepts, or None."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    parts = host.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    *heads, last = [number for number in numbers if number is not None]
    if any(head > 255 for head in heads) or last >= 256 ** (4 - len(heads)):
        return None
    value = last
    for place, head in enumerate(heads):
        value |= head << (8 * (3 - place))
    return ipaddress.IPv4Address(value)


def _number(text: str) -> int | None:
    if re.fullmatch(r"0[xX][0-9a-fA-F]*", text):
        return int(text, 16) if len(text) > 2 else 0
    if re.fullmatch(r"0[0-7]+", text):
        return int(text, 8)
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None


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


def _looks_public(host: str) -> bool:
    number = numeric_host(host)
    if number is not None:
        return is_public(number)
    labels = host.split(".")
    # A last label of digits is no name: what is left is a number in a notation that nobody should need.
    return len(labels) > 1 and labels[-1] not in _PRIVATE_SUFFIXES and not labels[-1][0].isdigit()


def _port(parts: SplitResult, field: str) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise UnsuitableUrl("The port is not a number from 1 to 65535.", field=field)
    return port
