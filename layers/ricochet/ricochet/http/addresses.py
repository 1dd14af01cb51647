"""Which addresses a request may connect to: public ones, and those that the settings allow."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

RUNTIME_API_PORT = 9001
"""The port of the Lambda runtime API, which no partner's URL may reach."""

_REFUSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "100.64.0.0/10",  # CGNAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",
        "64:ff9b::/96",  # NAT64: contains an IPv4 address
        "64:ff9b:1::/48",
        "2002::/16",  # 6to4, the same
        "2001::/32",  # Teredo, the same
        "fd00:ec2::/32",  # metadata over IPv6
        "fec0::/10",  # site-local, deprecated
        "3fff::/20",  # documentation, not yet known to ipaddress
    )
)


@dataclass(frozen=True)
class AllowedTargets:
    """Extra `host:port` pairs that may be reached although they are not public; empty on AWS."""

    pairs: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> AllowedTargets:
        """Read `127.0.0.1:18080,…`. Raise ValueError if an entry has no port."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        return cls(
            frozenset((host.strip("[]").lower(), int(port)) for host, _, port in (e.rpartition(":") for e in entries))
        )

    def __contains__(self, target: tuple[str, int]) -> bool:
        return target in self.pairs


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the address is on the public internet, also if it is an IPv4 address mapped into IPv6."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == block.version and address in block for block in _REFUSED)


def may_connect(address: str, port: int, host: str, allowed: AllowedTargets) -> bool:
    """Return whether a request to `host` may open a connection to `address`:`port`."""
    if port == RUNTIME_API_PORT:
        return False
    if (host.lower(), port) in allowed or (address, port) in allowed:
        return True
    return is_public(ipaddress.ip_address(address.partition("%")[0]))


def literal_address(host: str) -> str | None:
    """Return the IP address that `host` is in any notation (`0x7f.1`, `2130706433`, `[::1]`), or None for a name."""
    bare = host.strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare)) if bare and bare[0].isdigit() else None
    except OSError:
        return None
