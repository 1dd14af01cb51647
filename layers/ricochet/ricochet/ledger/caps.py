"""Caps of a product: how many conversions are credited, and how soon after the click, before a person must approve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ricochet.clicks.click import Click
from ricochet.clicks.product import Product
from ricochet.ledger.conversion import HoldReason
from ricochet.values import times
from ricochet.values.entity import Entity
from ricochet.values.times import Moment

COUNTERS_KEPT_DAYS = 30
"""How long a day's counters are kept after that day."""


def is_too_fast(product: Product, click: Click, received_at: Moment) -> bool:
    seconds = product.caps.min_seconds
    return seconds is not None and received_at < times.plus(click.created_at, seconds=seconds)


def counts(product: Product, user_id: str, moment: Moment, *, enforced: bool) -> Iterator[Count]:
    """Yield the counters that one more conversion increases: none for a product without caps."""
    caps, day = product.caps, moment[:10]
    until = times.epoch_seconds(times.start_of(day)) + COUNTERS_KEPT_DAYS * 86_400
    for limit, reason, parts, ttl in (
        (caps.per_user, HoldReason.OVER_USER_CAP, (user_id,), None),
        (caps.per_user_per_day, HoldReason.OVER_USER_DAILY_CAP, (day, user_id), until),
        (caps.per_day, HoldReason.OVER_DAILY_CAP, (day,), until),
    ):
        if limit is not None:
            counter_id = "#".join((reason, product.product_id, *parts))
            yield Count(counter_id, reason, limit if enforced else None, ttl)


class Counter(Entity):
    counter_id: str
    counted: int
    ttl: int | None = None


@dataclass(frozen=True)
class Count:
    """An increase of one counter by one."""

    counter_id: str
    reason: HoldReason
    """Why the conversion is held once the counter has reached its limit."""
    limit: int | None
    """None: counted without a limit."""
    ttl: int | None = None
