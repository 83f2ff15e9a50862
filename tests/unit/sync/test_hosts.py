import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.sync.hosts import RefusedHost, UnsuitableUrl, check_url, is_public, numeric_host, resolve


@pytest.mark.parametrize(
    ("given_url", "plain"),
    [
        ("https://github.com/acme/widgets.git", "https://github.com/acme/widgets.git"),
        ("https://GitHub.com:443/acme/widgets/", "https://github.com/acme/widgets"),
        ("https://git.example.com:8443/a/b", "https://git.example.com:8443/a/b"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://8.8.8.8/a", "https://8.8.8.8/a"),
        ("https://[2606:4700::1111]/a", "https://[2606:4700::1111]/a"),
    ],
)
def test_a_public_https_address_is_accepted_in_its_plain_form(given_url: str, plain: str) -> None:
    assert check_url(given_url, allow_private=False) == plain


@pytest.mark.parametrize(
    "url",
    [
        "http://github.com/a/b",
        "git://github.com/a/b",
        "ssh://git@github.com/a/b",
        "file:///etc/passwd",
        "ext::sh -c id",
        "git@github.com:a/b.git",
        "https://user:token@github.com/a/b",
        "https://github.com@evil.example/a/b",
        "https://github.com/a/b?x=1",
        "https://github.com/a/b#x",
        "https://github.com/a/b?",
        "https://github.com/",
        "https:///a/b",
        "https://github.com:0/a",
        "https://github.com:99999/a",
        "https://github.com:http/a",
        "https://git hub.com/a",
        "https://github.com\\@127.0.0.1/a",
        "https://github.com/a\nHost: x",
        "https://exa_mple..com/a",
        "https://-a.example/a",
        "https://github.com./a",
        "https://[::1%25eth0]/a",
        "https://[nonsense]/a",
        "https://example.com/" + "a" * 3000,
        "",
        "widgets",
    ],
)
@pytest.mark.parametrize("field", ["url", "body.url"])
def test_an_address_that_cannot_work_is_refused_by_name_of_its_field(url: str, field: str) -> None:
    with pytest.raises(UnsuitableUrl) as refused:
        check_url(url, allow_private=False, field=field)
    assert refused.value.field == field
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "api.localhost",
        "printer",
        "db.internal",
        "metadata.google.internal",
        "nas.local",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",  # noqa: S104
        "10.0.0.8",
        "172.16.3.4",
        "192.168.1.1",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.2.1",
        "192.0.0.192",
        "192.88.99.1",
        "168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "1.2.3.4.5",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[64:ff9b:1::a9fe:a9fe]",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
    ],
)
def test_a_private_host_is_refused_in_any_notation(host: str) -> None:
    with pytest.raises(UnsuitableUrl):
        check_url(f"https://{host}/a/b", allow_private=False)


def test_the_local_stage_may_use_loopback_over_http() -> None:
    assert check_url("http://127.0.0.1:4000/a.git", allow_private=True) == "http://127.0.0.1:4000/a.git"
    assert check_url("http://localhost:4000/a.git", allow_private=True) == "http://localhost:4000/a.git"
    with pytest.raises(UnsuitableUrl):
        check_url("ftp://127.0.0.1/a.git", allow_private=True)


@given(st.ip_addresses(v=4))
def test_every_notation_of_a_number_is_the_same_address(address: ipaddress.IPv4Address) -> None:
    value = int(address)
    first, rest = value >> 24, value & 0xFFFFFF
    for text in (str(address), str(value), hex(value), f"0{value:o}", f"{first}.{rest}", f"0x{first:x}.0{rest:o}"):
        if text not in {"00", "0x0.00"}:
            assert numeric_host(text) == address


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_another_is_no_more_public_than_by_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(0x0064FF9B << 96 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
    ]
    assert all(is_public(outer) <= is_public(address) for outer in wrapped)


def answers(*addresses: str) -> list[tuple[object, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]


def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers("93.184.215.14", "127.0.0.1"))
    with pytest.raises(RefusedHost):
        resolve("rebound.example", 443, allow_private=False)
    assert resolve("rebound.example", 443, allow_private=True)[1][1] == "127.0.0.1"


def test_the_addresses_of_a_public_name_are_returned_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers("93.184.215.14", "93.184.215.14"))
    assert resolve("public.example", 443, allow_private=False) == [(socket.AF_INET, "93.184.215.14")]
