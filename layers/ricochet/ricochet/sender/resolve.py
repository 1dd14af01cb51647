"""From a host name to the addresses that may be connected to."""

from __future__ import annotations

import socket

from ricochet.errors import TargetRefusedError
from ricochet.rules.addresses import AllowedTargets, may_connect


def vetted_addresses(host: str, port: int, allowed: AllowedTargets) -> list[str]:
    """The addresses of `host`, all of which may be reached; TargetRefusedError if any of them may not.

    One bad address spoils the name: which of them a later connection would get is up to its owner.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if not may_connect(address, port, host, allowed):
            raise TargetRefusedError(f"{host} leads to {address}:{port}, which is not a public address")
    return addresses
