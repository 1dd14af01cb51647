"""Partners that fail in every way a socket allows: each connection to one runs a script of what to do with it."""

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

PATIENCE = 10
"""Seconds until a server that waits for something gives up; no test that passes waits so long."""

BETWEEN_DRIPS = 0.03
DRIPS = round(PATIENCE / BETWEEN_DRIPS)
BETWEEN_SIPS = 0.005

MOST = 50_000_000
"""Bytes until a flood dries up."""

Script = Callable[["Connection"], None]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One connection of a partner's, with what came over it."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self._socket = sock
        self._server = server

    def hear(self) -> bytes:
        """The next request, head and body, also noted in the server's `requests`; nothing if they hung up."""
        request = b""
        while b"\r\n\r\n" not in request:
            if not (piece := self._receive()):
                return b""
            request += piece
        head, _, body = request.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length and len(body) < int(length[1]) and (piece := self._receive()):
            request, body = request + piece, body + piece
        self._server.requests.append(request)
        return request

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, drop: bytes) -> None:
        for _ in range(DRIPS):
            time.sleep(BETWEEN_DRIPS)
            self.say(drop)

    def sip(self) -> int:
        """How much it took of what they say; it takes no more for a moment."""
        taken = len(self._receive())
        time.sleep(BETWEEN_SIPS)
        return taken

    def wait_until_they_hang_up(self) -> None:
        while self._receive():
            pass
        self._server.cut_off.set()

    def hang_up(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Ends it with RST instead of FIN."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self._socket = context.wrap_socket(self._socket, server_side=True)

    def interrupt(self) -> None:
        """Ends whatever waits for it in another thread."""
        with suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65_536)
        except ConnectionError:
            return b""


class Server:
    """Listens on a loopback address; use as a context manager.

    The first connection runs the first script, the next one the second, and the last script serves all others.
    """

    def __init__(self, *scripts: Script, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.cut_off = threading.Event()
        """They hung up on us."""
        self.address = address
        self._scripts: Iterator[Script] = chain(scripts, repeat(scripts[-1]))
        self._tls = tls
        self._taken: list[Connection] = []
        self._listener = socket.create_server((address, 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # whoever does not read is felt at once
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
            pass  # our patience, not theirs
        except OSError:
            self.cut_off.set()
        finally:
            connection.close()


def answer(status: str = "200 OK", body: bytes = b"OK", *, length: int | None = None, **headers: str) -> bytes:
    """A whole answer; `length` lies about its body."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body) if length is None else length}", "", ""]).encode() + body


def answers(*replies: bytes) -> Script:
    """To each request the next of these, on whatever connection it comes; to all others the last."""
    following = chain(replies, repeat(replies[-1]))

    def script(connection: Connection) -> None:
        while connection.hear():
            connection.say(next(following))

    return script


def says(*pieces: bytes) -> Script:
    """These to the first request, and then nothing until they hang up."""

    def script(connection: Connection) -> None:
        connection.hear()
        for piece in pieces:
            connection.say(piece)
        connection.wait_until_they_hang_up()

    return script


def drips(start: bytes, drop: bytes) -> Script:
    """`start`, and then one drop after another for as long as they listen."""

    def script(connection: Connection) -> None:
        connection.hear()
        connection.say(start)
        connection.drip(drop)

    return script


def floods(start: bytes, more: bytes) -> Script:
    """`start`, and then as much as they take."""

    def script(connection: Connection) -> None:
        connection.hear()
        connection.say(start)
        for _ in range(MOST // len(more)):
            connection.say(more)

    return script


def then_ends(*pieces: bytes, by: Callable[[Connection], None] = Connection.hang_up) -> Script:
    """These to the first request, and an end to the connection."""

    def script(connection: Connection) -> None:
        connection.hear()
        for piece in pieces:
            connection.say(piece)
        by(connection)

    return script


def keeps_silent(connection: Connection) -> None:
    """Not even TLS is answered."""
    connection.wait_until_they_hang_up()


@contextmanager
def blackhole(address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port where nobody answers: its listener accepts nothing, and its queue is full."""
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
