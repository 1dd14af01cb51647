"""Connections that are opened only to vetted addresses, whatever their host name resolves to later."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from functools import cached_property, lru_cache, partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.util.ssl_ import create_urllib3_context

from ricochet.http.addresses import AllowedTargets
from ricochet.http.deadline import DeadlineSocket, DeadlineTLSSocket, Exchange
from ricochet.http.resolver import Lookup, Resolver

POOLS = 512

CONNECTIONS_PER_HOST = 4

MIN_SECONDS_PER_ADDRESS = 0.3
"""The least time for one of a host's many addresses to answer: a round trip around the world."""

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its lower levels log whole URLs with their secrets


class Guard:
    """Opens sockets to allowed addresses only."""

    def __init__(self, allowed: AllowedTargets, lookup: Lookup, connect_seconds: float, ca_file: str) -> None:
        self._resolver = Resolver(allowed, lookup)
        self._connect_seconds = connect_seconds
        self._ca_file = ca_file

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """One context for all connections: loading the authorities takes longer than a handshake."""
        context = create_urllib3_context()
        context.load_verify_locations(self._ca_file)
        context.sslsocket_class = DeadlineTLSSocket
        return context

    def connect(self, host: str, port: int) -> socket.socket:
        """Raise TargetRefusedError if `host` has an address that is not allowed, OSError if none answers in time."""
        exchange = Exchange.current()
        addresses = self._resolver.addresses(host, port, exchange.seconds_left())
        return _connect_to_any(addresses, port, min(self._connect_seconds, exchange.seconds_left()))


def _connect_to_any(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """Return a socket to the first address that answers; a dead one leaves a share of the time to the next."""
    failure: OSError = OSError("the host has no address")
    end = time.monotonic() + seconds
    for number, address in enumerate(addresses):
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            return _connect(address, port, min(left, max(MIN_SECONDS_PER_ADDRESS, left / (len(addresses) - number))))
        except OSError as error:
            failure = error
    raise failure


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    connection = DeadlineSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((address, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        raise
    return connection


class _FinalResponse(http.client.HTTPResponse):
    """Skips all interim responses: `http.client` skips 100 Continue, but takes 103 Early Hints for the final one."""

    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        is_interim = 100 <= status < 200 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_interim else status, reason


class _Guarded(HTTPConnection):
    """urllib3's connection with a socket that the guard opens."""

    response_class = _FinalResponse

    def __init__(self, *args: Any, guard: Guard, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard

    @property
    def is_connected(self) -> bool:
        """Whether the pool may reuse this connection; if not, it opens another."""
        return Exchange.current().may_reuse_connections and super().is_connected

    def _new_conn(self) -> socket.socket:
        Exchange.current().has_connected = True
        try:
            return self._guard.connect(self._dns_host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error


class _GuardedTLS(_Guarded, HTTPSConnection):
    def connect(self) -> None:
        self.ssl_context = self._guard.tls  # not through the pool, whose options would build one per host
        super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class GuardedAdapter(HTTPAdapter):
    """`requests` over guarded connections, pooled by host; to be used within an `Exchange`."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(pool_connections=POOLS, pool_maxsize=CONNECTIONS_PER_HOST)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_Pool, guard=guard),
            "https": partial(_TLSPool, guard=guard),
        }
        self._pool = lru_cache(POOLS)(self.poolmanager.connection_from_host)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send again on a new connection if the reused one was closed: such a request was never processed."""
        try:
            return super().send(request, *args, **options)
        except requests.ConnectionError as error:
            exchange = Exchange.current()
            if exchange.has_connected or exchange.received or not _was_closed(error):
                raise
            exchange.may_reuse_connections = False
            return super().send(request, *args, **options)

    def get_connection_with_tls_context(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> Any:
        """Find the pool by three parts of the URL; for each request, `requests` would build a key of fifteen."""
        parts = urlsplit(request.url)
        return self._pool(parts.hostname, parts.port, parts.scheme)

    def request_url(self, request: requests.PreparedRequest, *_: Any) -> str:
        """Send the target as it was signed; `requests` would consult proxies and strip leading slashes."""
        return request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return a response without cookies and encodings, which nobody reads."""
        response = requests.Response()
        response.request, response.url = req, req.url or ""
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        return response

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Do nothing: the guard's context verifies, and `requests` would override its authorities."""


def _was_closed(error: requests.ConnectionError) -> bool:
    """Return whether the other side had closed or reset the connection."""
    cause = error.args[0]
    return isinstance(cause, ProtocolError) and isinstance(cause.args[-1], ConnectionError)
