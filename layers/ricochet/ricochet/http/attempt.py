"""One request to a partner, and what came of it."""

from __future__ import annotations

from ricochet.values.entity import Entity, Shown


class Attempt(Entity):
    """One request to a partner, successful or not. `ms` is the wall time, DNS included."""

    at: Shown[str]
    ms: Shown[int]
    status_code: Shown[int | None] = None
    error: Shown[str | None] = None
    error_kind: str | None = None  # the innermost error's, such as ConnectionRefusedError, where `error` lists kinds
    partner_error: str | None = None  # what the partner may read instead of `error`
    reply: Shown[str | None] = None
    timed_out: Shown[bool | None] = None
    not_sent: Shown[bool | None] = None  # there was no request

    @property
    def is_success(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def failure(self) -> str | None:
        """Why there was no answer, in short."""
        return self.error_kind or self.error
