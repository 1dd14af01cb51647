"""Partners for tests: the demo's server, plus one that holds its answer back until it is told to go on."""

from __future__ import annotations

import threading

from local.partner_server import PartnerServer, Received


class ScriptedPartners(PartnerServer):
    """`/held/...` answers only after `release` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def answer(self, path: str, delivery_id: str) -> int:
        if path.startswith("/held/"):
            self.release.wait(timeout=30)
        return super().answer(path, delivery_id)

    def at(self, path: str) -> list[Received]:
        return [one for one in list(self.received) if one.path == path]
