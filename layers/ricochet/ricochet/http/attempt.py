"""One request to a partner and its result."""

from __future__ import annotations

from ricochet.values.entity import Entity, Shown
from ricochet.values.times import Moment


class Attempt(Entity):
    """One request to a partner, successful or not; `ms` is the wall time including DNS."""

    at: Shown[Moment]
    ms: Shown[int]
    status_code: Shown[int | None] = None
    error: Shown[str | None] = None
    error_kind: str | None = None  # the innermost type in `error`, such as ConnectionRefusedError
    partner_error: str | None = None  # what the partner sees instead of `error`
    reply: Shown[str | None] = None
    timed_out: Shown[bool | None] = None
    not_sent: Shown[bool | None] = None  # no request could be composed

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def failure(self) -> str | None:
        """The reason for a failure, in short."""
        return self.error_kind or self.error
