"""Resolve a host name to addresses that may be connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

from ricochet.errors import TargetRefusedError
from ricochet.http.addresses import AllowedTargets, may_connect

MAX_LOOKUPS = 64

AddressInfo = list[tuple[Any, Any, int, str, tuple[Any, ...]]]

Lookup = Callable[..., AddressInfo]
"""A function like `socket.getaddrinfo`."""


def vetted_addresses(host: str, port: int, allowed: AllowedTargets, lookup: Lookup) -> list[str]:
    """Return the addresses of `host`. Raise TargetRefusedError if any of them is not allowed.

    One refused address is enough: the owner of the name could give that one to the next connection.
    """
    found = lookup(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if not may_connect(address, port, host, allowed):
            raise TargetRefusedError(host, f"{address}:{port}")
    return addresses


class BoundedLookup:
    """Lookups with a timeout, in threads of their own because `getaddrinfo` cannot be interrupted.

    Concurrent lookups of one name share one thread, so a name that hangs never takes more than that one. There are at
    most MAX_LOOKUPS threads.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="lookup")
        self._pending: dict[tuple[str, int], Future[AddressInfo]] = {}
        self._lock = Lock()

    def __call__(self, host: str, port: int, *, seconds: float, **options: Any) -> AddressInfo:
        """Return the result of the lookup. Raise TimeoutError if it takes longer than `seconds`."""
        with self._lock:
            pending = self._pending.get((host, port))
            if pending is None:
                pending = self._threads.submit(self._lookup, host, port, **options)
                self._pending[host, port] = pending
                pending.add_done_callback(lambda _: self._pending.pop((host, port)))
        return pending.result(seconds)


class Resolver:
    """Resolves host names in threads of its own; one per process is enough."""

    def __init__(self, allowed: AllowedTargets, lookup: Lookup = socket.getaddrinfo) -> None:
        self.allowed = allowed
        self._lookup = BoundedLookup(lookup)

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the vetted addresses of `host`. Raise TimeoutError if that takes longer than `seconds`."""
        return vetted_addresses(host, port, self.allowed, partial(self._lookup, seconds=seconds))
