"""How partners that are in trouble are doing (healthy ones have no such row), and how far the sweep has come."""

from __future__ import annotations

from enum import StrEnum

from ricochet.models.entity import Entity

PARTNER = "partner"
SWEEP = "sweep"


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"  # nothing is sent until `open_until`, and then one probe
    RECOVERING = "recovering"  # the probe was taken; sends may come at a rate that rises


class SweepProgress(Entity):
    """Until when all deliveries are known to be on record."""

    kind: str  # always SWEEP
    subject: str
    swept_until: str


class PartnerHealth(Entity):
    kind: str  # always PARTNER
    subject: str  # the partner's id
    failing_since: str | None = None  # the first failure after the last success
    failures: int = 0  # since then
    unwell: int = 0  # those of them that speak of the server, not of the postback
    gone: int = 0  # how often in a row it said 410
    noticed: int = 0  # the last notice given, in per cent of the way to a pause
    breaker: Breaker = Breaker.CLOSED
    openings: int = 0  # since it last recovered
    open_until: str | None = None
    recovered_at: str | None = None
    revision: int = 0
    updated_at: str
    ttl: int

    @property
    def partner_id(self) -> str:
        return self.subject
