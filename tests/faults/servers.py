"""Partners that fail in every way a socket allows: each connection runs a script."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat

from tests.waiting import PATIENCE

BETWEEN_DRIPS = 0.03
DRIPS = round(PATIENCE / BETWEEN_DRIPS)
BETWEEN_SIPS = 0.005

FLOOD_BYTES = 50_000_000
"""Bytes after which a flood ends."""

Script = Callable[["Connection"], None]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One connection to a partner server."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self._socket = sock
        self._server = server

    def receive(self) -> bytes:
        """Return the next request, head and body, also recorded in the server's `requests`; empty after the last."""
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := self._read()):
                return b""
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length and len(body) < int(length[1]) and (piece := self._read()):
            request, body = request + piece, body + piece
        self._server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, drop: bytes) -> None:
        for _ in range(DRIPS):
            time.sleep(BETWEEN_DRIPS)
            self.send(drop)

    def sip(self) -> int:
        """Read a little, then pause; return how many bytes were read."""
        taken = len(self._read())
        time.sleep(BETWEEN_SIPS)
        return taken

    def wait_until_they_close(self) -> None:
        while self._read():
            pass
        self._server.cut_off.set()

    def close_properly(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_side=True)

    def interrupt(self) -> None:
        """End any wait for this connection in another thread."""
        with suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> bytes:
        try:
            return self._socket.recv(65_536)
        except ConnectionError:
            return b""


class Server:
    """Listens on a loopback address; a context manager.

    The first connection runs the first script, the second one the second, and all others the last.
    """

    def __init__(self, *scripts: Script, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.cut_off = threading.Event()
        """The client has closed a connection."""
        self.address = address
        self._scripts: Iterator[Script] = chain(scripts, repeat(scripts[-1]))
        self._tls = tls
        self._taken: list[Connection] = []
        self._listener = socket.create_server((address, 0))
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536
        )  # a client notices at once when nothing is read
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="partner")]

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    def __enter__(self) -> Server:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self._listener.close()
        for connection in self._taken:
            connection.interrupt()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(PATIENCE)
            connection = Connection(sock, self)
            self._taken.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection, next(self._scripts)), name="partner")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection, script: Script) -> None:
        try:
            if self._tls is not None:
                connection.start_tls(self._tls)
            script(connection)
        except TimeoutError:
            pass  # the server waited in vain; the client has not closed
        except OSError:
            self.cut_off.set()
        finally:
            connection.close()


def answer(status: str = "200 OK", body: bytes = b"OK", *, length: int | None = None, **headers: str) -> bytes:
    """Return a whole answer; `length` gives its body another length than it has."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body) if length is None else length}", "", ""]).encode() + body


def answers(*replies: bytes) -> Script:
    """Answer each request, on any connection, with the next of these, and all others with the last."""
    following = chain(replies, repeat(replies[-1]))

    def script(connection: Connection) -> None:
        while connection.receive():
            connection.send(next(following))

    return script


def answers_once(*pieces: bytes) -> Script:
    """Answer the first request with these pieces, and then send nothing until they close."""

    def script(connection: Connection) -> None:
        connection.receive()
        for piece in pieces:
            connection.send(piece)
        connection.wait_until_they_close()

    return script


def drips(start: bytes, drop: bytes) -> Script:
    """Send `start`, and then one drop after another until they close."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        connection.drip(drop)

    return script


def floods(start: bytes, more: bytes) -> Script:
    """Send `start`, and then as much as they accept."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        for _ in range(FLOOD_BYTES // len(more)):
            connection.send(more)

    return script


def then_ends(*pieces: bytes, by: Callable[[Connection], None] = Connection.close_properly) -> Script:
    """Answer the first request with these pieces, and end the connection."""

    def script(connection: Connection) -> None:
        connection.receive()
        for piece in pieces:
            connection.send(piece)
        by(connection)

    return script


def keeps_silent(connection: Connection) -> None:
    """Send nothing, not even a TLS handshake."""
    connection.wait_until_they_close()


@contextmanager
def blackhole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Yield a port that answers nothing: its listener accepts nothing, and its queue is full."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for client in waiting:
                client.close()
