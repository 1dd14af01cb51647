"""A real HTTP server that plays partners: it records what it receives, and fails on some paths.

`/ok/...` answers 200, `/flaky/...` answers 500 twice for each delivery and then 200, `/down/...` always answers 503.
`/flaky/...` accepts old events (by their `timestamp`) at once: otherwise the backlog after an outage would look like a
new outage. `GET /log` lists what was received, oldest first.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FLAKY_FAILURES = 2
RECENT_SECONDS = 30


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    answered: int
    at: float  # epoch seconds

    @property
    def delivery_id(self) -> str:
        return self.headers.get("webhook-id", "")


class PartnerServer(ThreadingHTTPServer):
    """Bound to 127.0.0.1; use it as a context manager, or call `serve_forever`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, recent_seconds: float = RECENT_SECONDS) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._recent_seconds = recent_seconds
        self.received: list[Received] = []
        self._seen: Counter[str] = Counter()
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return self.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> PartnerServer:
        threading.Thread(target=self.serve_forever, name="partners", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End kept-alive connections too: their clients would keep using a server that has stopped."""
        super().server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        """Count the request and return its status code."""
        kind = path.split("/")[1]
        with self._lock:
            self._seen[delivery_id] += 1
            requests = self._seen[delivery_id]
        if kind == "down":
            return 503
        return 500 if kind == "flaky" and requests <= FLAKY_FAILURES and self._is_recent(query) else 200

    def _is_recent(self, query: dict[str, str]) -> bool:
        """Whether the event is recent; an event without a timestamp is."""
        if "timestamp" not in query:
            return True
        return time.time() - datetime.fromisoformat(query["timestamp"]).timestamp() < self._recent_seconds

    def headers_for(self, path: str) -> dict[str, str]:  # noqa: ARG002 - for subclasses
        """Return additional headers of the answer."""
        return {}

    def reply_for(self, path: str, status: int) -> bytes:  # noqa: ARG002 - for subclasses
        return b"OK" if status == 200 else b"not now"

    def remember(self, received: Received) -> None:
        with self._lock:
            self.received.append(received)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PartnerServer

    def do_GET(self) -> None:
        if self.path == "/log":
            self._reply(200, json.dumps([asdict(one) for one in self.server.received]).encode())
        else:
            self._receive()

    def do_POST(self) -> None:
        self._receive()

    def _receive(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        status = self.server.answer(parts.path, query, headers.get("webhook-id", ""))
        self.server.remember(
            Received(self.command, parts.path, query, headers, body.decode("utf-8", "replace"), status, time.time())
        )
        self._reply(status, self.server.reply_for(parts.path, status), self.server.headers_for(parts.path))

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Log nothing: the requests are in `received`."""


if __name__ == "__main__":
    PartnerServer(int(sys.argv[1])).serve_forever()
