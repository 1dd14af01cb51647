"""One request to a partner and its result."""

from __future__ import annotations

from ricochet.values.entity import Entity


class Attempt(Entity):
    """One request to a partner, successful or not; `ms` is the wall time including DNS."""

    at: str
    ms: int
    status_code: int | None = None
    error: str | None = None
    reply: str | None = None
    timed_out: bool | None = None
    not_sent: bool | None = None  # no request could be composed

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300
