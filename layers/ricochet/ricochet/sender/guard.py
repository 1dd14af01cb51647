"""Connections that are opened only to vetted addresses, whatever a host name resolves to by then."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ricochet.rules.addresses import AllowedTargets
from ricochet.sender.resolve import vetted_addresses

POOLS = 512
CONNECTIONS_PER_HOST = 4


class OpenConnections:
    """Which connection each exchange uses at the moment, so that another thread can cut it off."""

    def __init__(self) -> None:
        self._ticket = threading.local()
        self._connections: dict[object, Any] = {}

    @contextlib.contextmanager
    def under(self, ticket: object) -> Iterator[None]:
        """Connections that this thread uses meanwhile are cut by `cut(ticket)`."""
        self._ticket.value = ticket
        try:
            yield
        finally:
            self._connections.pop(ticket, None)

    def use(self, connection: Any) -> None:
        self._connections[getattr(self._ticket, "value", None)] = connection

    def cut(self, ticket: object) -> None:
        sock = getattr(self._connections.get(ticket), "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # it was closed in the same moment
                sock.shutdown(socket.SHUT_RDWR)


class _VettedConnection:
    """Mixed into urllib3's connections: they name the host, this opens the socket."""

    allowed: AllowedTargets
    open_connections: OpenConnections

    def putrequest(self: Any, *args: Any, **kwargs: Any) -> None:
        self.open_connections.use(self)
        super().putrequest(*args, **kwargs)  # type: ignore[misc]

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

    def __init__(self, allowed: AllowedTargets, connections: OpenConnections) -> None:
        self._pools = _guarded_pools(allowed, connections)
        super().__init__(pool_connections=POOLS, pool_maxsize=CONNECTIONS_PER_HOST, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _guarded_pools(allowed: AllowedTargets, connections: OpenConnections) -> dict[str, type[HTTPConnectionPool]]:
    given = {"allowed": allowed, "open_connections": connections}
    plain = type("GuardedHTTPConnection", (_VettedConnection, HTTPConnection), given)
    secure = type("GuardedHTTPSConnection", (_VettedConnection, HTTPSConnection), given)
    return {
        "http": type("GuardedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
