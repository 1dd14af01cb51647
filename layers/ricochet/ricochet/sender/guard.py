"""Connections that are opened only to vetted addresses, whatever a host name resolves to by then."""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ricochet.rules.addresses import AllowedTargets
from ricochet.sender.resolve import vetted_addresses

POOLS = 512
CONNECTIONS_PER_HOST = 4


class _VettedConnection:
    """Mixed into urllib3's connections: they name the host, this opens the socket."""

    allowed: AllowedTargets

    def _new_conn(self: Any) -> socket.socket:
        failure: OSError = OSError("the host has no address")
        try:
            addresses = vetted_addresses(self._dns_host, self.port, self.allowed)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        for address in addresses:
            try:
                connection = socket.create_connection((address, self.port), self.timeout)
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
            except OSError as error:
                failure = error
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise NewConnectionError(self, f"no connection to {self.host}: {failure}") from failure


class GuardedAdapter(HTTPAdapter):
    """`requests` over vetted connections only."""

    def __init__(self, allowed: AllowedTargets) -> None:
        self._pools = _guarded_pools(allowed)
        super().__init__(pool_connections=POOLS, pool_maxsize=CONNECTIONS_PER_HOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _guarded_pools(allowed: AllowedTargets) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("GuardedHTTPConnection", (_VettedConnection, HTTPConnection), {"allowed": allowed})
    secure = type("GuardedHTTPSConnection", (_VettedConnection, HTTPSConnection), {"allowed": allowed})
    return {
        "http": type("GuardedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
