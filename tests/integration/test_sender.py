"""The sender against servers that mean no good, over real sockets on loopback."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ricochet.models.partner import Method
from ricochet.rules.addresses import AllowedTargets
from ricochet.rules.outbound import Outbound
from ricochet.sender.http import Limits, Sender


class Server:
    """Answers each connection with these pieces, pausing before each."""

    def __init__(self, *pieces: bytes, pause: float = 0) -> None:
        self.pieces, self.pause = pieces, pause
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            for piece in self.pieces:
                time.sleep(self.pause)
                try:
                    connection.sendall(piece)
                except OSError:
                    return


def send(server: Server, *, total: float = 5, path: str = "/pb?token=s3cret"):
    allowed = AllowedTargets.parse(f"127.0.0.1:{server.port}")
    outbound = Outbound(Method.GET, f"http://127.0.0.1:{server.port}{path}")
    return Sender(allowed, Limits(connect=1, total=total)).send(outbound)


DRIP = [b"HTTP/1.1 200 OK\r\n", *[b"x-drip: y\r\n"] * 100]


@pytest.mark.parametrize(
    "pieces", [DRIP, [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", *[b"x"] * 100]], ids=["headers", "body"]
)
def test_a_server_that_drips_is_cut_off(pieces):
    sent = send(Server(*pieces, pause=0.2), total=0.6)
    assert sent.attempt.status_code is None
    assert "no complete answer" in sent.attempt.error


@pytest.mark.parametrize(
    "retry_after",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2035 00:00:00 +99999999999999", "soon", ""],
)
def test_a_header_that_makes_no_sense_undoes_no_answer(retry_after):
    head = f"HTTP/1.1 503 No\r\nretry-after: {retry_after}\r\ncontent-length: 0\r\n\r\n"
    sent = send(Server(head.encode()))
    assert (sent.attempt.status_code, sent.retry_after) == (503, None)


@pytest.mark.parametrize("pieces", [[], [b"nonsense\r\n\r\n"], [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"]])
def test_an_error_names_its_kind_and_no_secret(pieces):
    sent = send(Server(*pieces))
    assert sent.attempt.error or sent.attempt.status_code == 200
    assert "s3cret" not in str(sent)


def test_nobody_listening_is_an_answer_too():
    server = Server()
    server.listener.close()
    sent = send(server)
    assert "s3cret" not in str(sent)
    assert sent.attempt.error.startswith("ConnectionError")


def test_an_endless_body_is_read_no_further_than_it_is_worth():
    sent = send(Server(b"HTTP/1.1 200 OK\r\n\r\n", *[b"z" * 65536] * 50))
    assert sent.attempt.status_code == 200
    assert len(sent.attempt.reply) == 1024


def test_a_target_inside_is_refused():
    sent = Sender(AllowedTargets(), Limits(1, 2)).send(Outbound(Method.GET, "http://127.0.0.1:1/"))
    assert "not a public address" in sent.attempt.error
