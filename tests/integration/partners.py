"""Partners for tests: the demo's server, and some that behave worse."""

from __future__ import annotations

import threading

from local.partner_server import PartnerServer, Received


class ScriptedPartners(PartnerServer):
    """Besides the demo's paths:

    `/held/...` has the request but answers only after `release` is set, `/later/...` answers 503 once and wants an
    hour of peace, `/no-leads/...` answers 500 to every Lead, `/gone/...` 404, `/moved/...` redirects to `/ok/stolen`.
    `/as-told/...` answers what `answers` has for the path (200 if nothing), with the body that `replies` has for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()
        self.holding = threading.Event()
        self.answers: dict[str, int] = {}
        self.replies: dict[str, str] = {}
        self._put_off: set[str] = set()

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        match path.split("/")[1]:
            case "held":
                self.holding.set()
                self.release.wait(timeout=30)
            case "later" if delivery_id not in self._put_off:
                self._put_off.add(delivery_id)
                return 503
            case "no-leads" if query.get("status") == "Lead":
                return 500
            case "as-told":
                return self.answers.get(path, 200)
            case "gone":
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
        return [one for one in list(self.received) if one.path == path]
