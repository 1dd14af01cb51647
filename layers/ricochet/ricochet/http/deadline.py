"""One request with its answer, and sockets that keep to its limits by themselves."""

from __future__ import annotations

import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any, Self

_current: ContextVar[Exchange] = ContextVar("exchange")


class AnswerTooLongError(OSError):
    """More came than any answer needs."""


class Exchange:
    """What one request may still spend, and what came of it so far.

    Entered by the thread that makes the request: whatever connections it uses meanwhile, new or kept, find it here.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._end = time.monotonic() + seconds
        self._max_bytes = max_bytes
        self.received = 0
        self.has_connected = False
        self.takes_kept_connections = True

    def __enter__(self) -> Self:
        self._outer = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._outer)

    @classmethod
    def current(cls) -> Exchange:
        """The one that this thread is in; LookupError outside of any."""
        return _current.get()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end

    def seconds_left(self) -> float:
        """More than none; TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the exchange is over")
        return left

    def receive(self, count: int) -> int:
        """`count`, noted; AnswerTooLongError if that makes too many bytes."""
        self.received += count
        if self.received > self._max_bytes:
            raise AnswerTooLongError(f"more than {self._max_bytes} bytes")
        return count


class PunctualSocket(socket.socket):
    """No call outlasts the exchange: a socket's own timeout begins anew with each byte that drips in."""

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


class PunctualTLSSocket(PunctualSocket, ssl.SSLSocket):
    """The same over TLS. OpenSSL's calls, the handshake too, take a timeout for the whole of each (bpo-23853)."""

    def do_handshake(self, *args: Any, **options: Any) -> None:
        self.settimeout(Exchange.current().seconds_left())
        super().do_handshake(*args, **options)
