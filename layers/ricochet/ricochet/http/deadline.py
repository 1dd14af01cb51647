"""One exchange of a request and a response, and sockets that keep to its deadline."""

from __future__ import annotations

import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any, Self

_current: ContextVar[Exchange] = ContextVar("exchange")


class ResponseTooLongError(OSError):
    """The response is longer than it may be."""


class Exchange:
    """What is left of one request's time and bytes, and how far it has come.

    The thread that makes the request enters it, and the connections that this thread uses, new or reused, find it here.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._end = time.monotonic() + seconds
        self._max_bytes = max_bytes
        self.received = 0
        self.has_connected = False
        self.may_reuse_connections = True

    def __enter__(self) -> Self:
        self._outer = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._outer)

    @classmethod
    def current(cls) -> Exchange:
        """Return this thread's exchange. Raise LookupError outside of one."""
        return _current.get()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def seconds_left(self) -> float:
        """Return the seconds left. Raise TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange is over")
        return left

    def receive(self, count: int) -> int:
        """Count received bytes and return `count`. Raise ResponseTooLongError if there are too many."""
        self.received += count
        if self.received > self._max_bytes:
            raise ResponseTooLongError(f"more than {self._max_bytes} bytes")
        return count


class DeadlineSocket(socket.socket):
    """A socket whose calls end with the exchange; a plain socket's timeout starts again with every byte received."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        exchange = Exchange.current()
        self.settimeout(exchange.seconds_left())
        return exchange.receive(super().recv_into(*args, **options))

    def send(self, *args: Any, **options: Any) -> int:
        self.settimeout(Exchange.current().seconds_left())
        return super().send(*args, **options)

    def sendall(self, *args: Any, **options: Any) -> None:
        self.settimeout(Exchange.current().seconds_left())
        super().sendall(*args, **options)


class DeadlineTLSSocket(DeadlineSocket, ssl.SSLSocket):
    """The same over TLS, where a timeout covers a whole call, the handshake included (bpo-23853)."""

    def do_handshake(self, *args: Any, **options: Any) -> None:
        self.settimeout(Exchange.current().seconds_left())
        super().do_handshake(*args, **options)
