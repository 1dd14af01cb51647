"""The partner server of the demo, with answers that a test can script."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local.partner_server import PartnerServer, Received
from tests.waiting import PATIENCE


class ScriptedPartners(PartnerServer):
    """Besides the demo's paths:

    `/held/...` answers only outside of `holding()`, `/later/...` answers 503 once and requests an hour until the retry,
    `/no-leads/...` answers 500 to every Lead, `/missing/...` 404, `/moved/...` redirects to `/ok/stolen`.
    `/scripted/...` answers what `answers` has for the path (200 if nothing), with the body that `replies` has for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, int] = {}
        self.replies: dict[str, str] = {}
        self._deferred: set[str] = set()
        self._released = threading.Event()
        self._released.set()
        self._has_held = threading.Event()

    @contextmanager
    def holding(self) -> Iterator[threading.Event]:
        """Hold answers to `/held/...` until the block ends; yield an event that is set once a request is held."""
        self._has_held.clear()
        self._released.clear()
        try:
            yield self._has_held
        finally:
            self._released.set()

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        match path.split("/")[1]:
            case "held":
                self._has_held.set()
                self._released.wait(PATIENCE)
            case "later" if delivery_id not in self._deferred:
                self._deferred.add(delivery_id)
                return 503
            case "no-leads" if query.get("status") == "Lead":
                return 500
            case "scripted":
                return self.answers.get(path, 200)
            case "missing":
                return 404
            case "moved":
                return 302
        return super().answer(path, query, delivery_id)

    def reply_for(self, path: str, status: int) -> bytes:
        return self.replies[path].encode() if path in self.replies else super().reply_for(path, status)

    def headers_for(self, path: str) -> dict[str, str]:
        return {
            "/later": {"retry-after": "3600"},
            "/moved": {"location": f"{self.url}/ok/stolen"},
        }.get(path[: path.rindex("/")], {})

    def at(self, path: str) -> list[Received]:
        """Return the requests to this path, oldest first."""
        return [one for one in list(self.received) if one.path == path]
