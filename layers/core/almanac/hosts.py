"""Which hosts are of the public internet, by their text and by where their name leads.

What others name for us to call is judged twice: as it is written (`looks_public`), and for every connection again
(`resolve`): the connection goes to the very address that was allowed.
"""

import ipaddress
import re
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE_SUFFIXES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "test", "invalid")
# Not for the public, whatever this Python's tables say: protocol assignments (a cloud's metadata service among them),
# documentation, retired relays, segment routing, local translation, and another cloud's host agent.
_RESERVED = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20", "5f00::/16", "64:ff9b:1::/48")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedHost(Exception):
    """A host name leads to an address that is not on the public internet."""


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


def looks_public(host: str) -> bool:
    """Tell whether a host's text, a name in lower case or a number in any notation, may be of the public internet."""
    number = numeric_host(host)
    if number is not None:
        return is_public(number)
    labels = host.split(".")
    # A last label of digits is no name: what is left is a number in a notation that nobody should need.
    return len(labels) > 1 and labels[-1] not in _PRIVATE_SUFFIXES and not labels[-1][0].isdigit()


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
