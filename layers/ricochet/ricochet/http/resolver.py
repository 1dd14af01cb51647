"""From a host name to the addresses that may be connected to."""

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
"""Of `socket.getaddrinfo`'s shape."""


def vetted_addresses(host: str, port: int, allowed: AllowedTargets, lookup: Lookup) -> list[str]:
    """The addresses of `host`, all of which may be reached; TargetRefusedError if any of them may not.

    One bad address spoils the name: which of them a later connection would get is up to its owner.
    """
    found = lookup(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if not may_connect(address, port, host, allowed):
            raise TargetRefusedError(host, f"{address}:{port}")
    return addresses


class BoundedLookup:
    """Lookups that end in time, made by threads of their own: nothing can stop `getaddrinfo` once it has begun.

    Who asks for what is being looked up already waits for the same answer. So a name that hangs holds one thread
    however often it is asked for, and never are there more than MAX_LOOKUPS of them.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="lookup")
        self._under_way: dict[tuple[str, int], Future[AddressInfo]] = {}
        self._lock = Lock()

    def __call__(self, host: str, port: int, *, seconds: float, **options: Any) -> AddressInfo:
        """What the lookup finds; TimeoutError if that takes longer than so many seconds."""
        with self._lock:
            answer = self._under_way.get((host, port))
            if answer is None:
                answer = self._threads.submit(self._lookup, host, port, **options)
                self._under_way[host, port] = answer
                answer.add_done_callback(lambda _: self._under_way.pop((host, port)))
        return answer.result(seconds)


class Resolver:
    """Finds the addresses of host names, with threads of its own: one for each process is enough."""

    def __init__(self, allowed: AllowedTargets, lookup: Lookup = socket.getaddrinfo) -> None:
        self.allowed = allowed
        self._lookup = BoundedLookup(lookup)

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """As `vetted_addresses`; TimeoutError if it takes longer than so many seconds."""
        return vetted_addresses(host, port, self.allowed, partial(self._lookup, seconds=seconds))
