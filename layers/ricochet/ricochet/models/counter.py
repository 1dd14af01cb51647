"""Counters of credited conversions, for the products that cap them."""

from __future__ import annotations

from dataclasses import dataclass

from ricochet.models.conversion import HoldReason
from ricochet.models.entity import Entity


class Counter(Entity):
    counter_id: str
    counted: int
    ttl: int | None = None


@dataclass(frozen=True)
class Count:
    """One more on a counter."""

    counter_id: str
    reason: HoldReason
    """What it means that the counter has reached its limit."""
    limit: int | None
    """None: counted whatever it comes to."""
    ttl: int | None = None
