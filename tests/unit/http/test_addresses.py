"""Requests reach public addresses and no others."""

import ipaddress
import socket

import pytest

from ricochet.errors import TargetRefusedError
from ricochet.http.addresses import AllowedTargets, is_public, literal_address, may_connect
from ricochet.http.resolver import vetted_addresses
from tests.unit.hosts import INSIDE_IN_ANY_NOTATION

NONE = AllowedTargets()
LOCAL = AllowedTargets.parse("127.0.0.1:18080, Partner.local:8080,[::1]:9000,127.0.0.1:9001,1.1.1.1:9001")

PUBLIC = ["1.1.1.1", "8.8.8.8", "52.94.236.248", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1"]
PUBLIC_6 = ["2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"]
PRIVATE = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12::1", "::ffff:10.0.0.1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"],
    "site-local": ["fec0::1"],
    "metadata": ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "CGNAT": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::1"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1", "192.88.99.1"],
    "Teredo": ["2001::1", "2001:0:7f00:1::"],
    "IPv4 in IPv6": ["::127.0.0.1", "::ffff:0:127.0.0.1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255"],
    "protocols": ["192.0.0.1", "192.0.0.192"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255"],
}


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC_6])
def test_public_address_is_allowed(address):
    assert is_public(ipaddress.ip_address(address))
    assert may_connect(address, 443, "partner.example", NONE)


@pytest.mark.parametrize("address", [address for kind in PRIVATE for address in PRIVATE[kind]])
def test_address_that_is_not_public_is_refused(address):
    assert not may_connect(address, 443, "partner.example", NONE)


@pytest.mark.parametrize("allowed", [NONE, LOCAL])
@pytest.mark.parametrize("address", ["1.1.1.1", "127.0.0.1", "::1"])
def test_runtime_api_port_is_always_refused(address, allowed):
    assert not may_connect(address, 9001, address, allowed)
    assert not may_connect(address, 9001, "partner.example", allowed)


@pytest.mark.parametrize(
    ("address", "port", "host", "may"),
    [
        ("127.0.0.1", 18080, "127.0.0.1", True),
        ("127.0.0.1", 18080, "localhost", True),
        ("127.0.0.1", 8080, "partner.local", True),
        ("10.0.0.9", 8080, "PARTNER.LOCAL", True),
        ("::1", 9000, "::1", True),
        ("127.0.0.1", 18081, "127.0.0.1", False),
        ("127.0.0.2", 18080, "127.0.0.2", False),
        ("10.0.0.9", 8081, "partner.local", False),
        ("10.0.0.9", 8080, "other.local", False),
    ],
)
def test_allowed_target_is_one_host_at_one_port(address, port, host, may):
    assert may_connect(address, port, host, LOCAL) is may


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_empty_list_allows_nothing(text):
    assert AllowedTargets.parse(text) == NONE


@pytest.mark.parametrize("text", ["127.0.0.1", "localhost:", "localhost:http", "a:80,b"])
def test_allowed_target_needs_a_port(text):
    with pytest.raises(ValueError, match="invalid literal"):
        AllowedTargets.parse(text)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("2852039166", "169.254.169.254"),
        ("0xa9.0xfe.0xa9.0xfe", "169.254.169.254"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("1.1.1.1", "1.1.1.1"),
    ],
)
def test_address_is_recognised_in_any_notation(host, address):
    assert ipaddress.ip_address(literal_address(host)) == ipaddress.ip_address(address)


@pytest.mark.parametrize(
    "host", ["", "[]", "example.com", "1.example", "1.2.3.4.5", "127.0.0.256", "99999999999", "a1", "x.1"]
)
def test_name_is_not_an_address(host):
    assert literal_address(host) is None


@pytest.mark.parametrize("host", INSIDE_IN_ANY_NOTATION)
def test_private_address_is_refused_in_any_notation(host):
    address = literal_address(host)
    assert address is not None
    for port in (80, 443, 8080, 9001):
        assert not may_connect(address, port, host, NONE)


def resolving_to(*addresses: str):
    def getaddrinfo(host, port, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return getaddrinfo


def test_name_resolves_to_its_public_addresses_in_order():
    lookup = resolving_to("8.8.8.8", "1.1.1.1", "8.8.8.8")
    assert vetted_addresses("partner.example", 443, NONE, lookup) == ["8.8.8.8", "1.1.1.1"]


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["fe80::1%eth0"]])
def test_name_with_one_private_address_is_refused(addresses):
    with pytest.raises(TargetRefusedError, match=f"partner.example leads to {addresses[-1]}:443"):
        vetted_addresses("partner.example", 443, NONE, resolving_to(*addresses))
