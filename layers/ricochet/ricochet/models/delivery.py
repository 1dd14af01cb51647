"""A delivery: one version of one conversion on its way to one partner, and the attempts at it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from ricochet.models import ids, times
from ricochet.models.conversion import Conversion
from ricochet.models.entity import Entity
from ricochet.models.statuses import Status

KEPT_DAYS = 90


class DeliveryState(StrEnum):
    RETRYING = "retrying"  # failed so far; a message or a due time says when it is tried again
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"  # the partner knows a newer version already
    PARKED = "parked"  # gave up; an operator may replay it

    @property
    def is_terminal(self) -> bool:
        return self is not DeliveryState.RETRYING


class Attempt(Entity):
    """One request to a partner, successful or not. `ms` is the wall time, DNS included."""

    at: str
    ms: int
    status_code: int | None = None
    error: str | None = None
    reply: str | None = None


class Notice(Entity):
    """What a partner is told: one version of a conversion. Attributes are named as the macros are."""

    click_id: str = ""
    status: Status
    original_status: str
    payout: str
    currency: str
    offer_id: str = ""
    product_id: str = ""
    conversion_id: str
    transaction_id: str = ""
    user_id: str = ""
    network: str = ""
    event: str = ""
    subid: str = ""
    sub1: str = ""
    sub2: str = ""
    sub3: str = ""
    sub4: str = ""
    sub5: str = ""
    prelanding: str = ""
    landing: str = ""
    px: str = ""
    domain: str = ""
    ip: str = ""
    timestamp: str

    @classmethod
    def of(cls, conversion: Conversion) -> Self:
        return cls(
            status=conversion.status,
            original_status=conversion.source_status,
            payout=format(conversion.amount if conversion.payout is None else conversion.payout, "f"),
            currency=conversion.currency,
            conversion_id=conversion.shown_id,
            network=conversion.network_id or "",
            timestamp=conversion.updated_at,
            **{name: getattr(conversion, name) or "" for name in _AS_IN_CONVERSION},
        )


_AS_IN_CONVERSION = (frozenset(Notice.model_fields) & frozenset(Conversion.model_fields)) - {
    *("status", "payout", "currency", "conversion_id"),
}


class Delivery(Entity):
    conversion_id: str
    delivery_key: str  # version#partnerId
    delivery_id: str
    version: int
    partner_id: str
    state: DeliveryState
    notice: Notice
    url: str | None = None  # as last sent, secrets masked
    attempt_count: int = 0
    attempts: tuple[Attempt, ...] = ()
    next_attempt_at: str | None = None
    lease_until: str | None = None  # an attempt is under way until then at the latest
    due_shard: str | None = None  # both only while it waits longer than a queue can delay
    due_at: str | None = None
    created_at: str
    updated_at: str
    ttl: int

    def for_log(self) -> dict[str, Any]:
        last = self.attempts[-1] if self.attempts else None
        return {
            "delivery_id": self.delivery_id,
            "conversion_id": self.conversion_id,
            "partner_id": self.partner_id,
            "state": self.state,
            "attempt": self.attempt_count,
            "status_code": last.status_code if last else None,
            "reason": last.error if last else None,
            "ms": last.ms if last else None,
        }


def delivery_key(version: int, partner_id: str) -> str:
    return f"{version_prefix(version)}{partner_id}"


def version_prefix(version: int) -> str:
    return f"{version:06d}#"


def new_delivery(
    conversion_id: str, version: int, partner_id: str, notice: Notice, moment: str, **state: Any
) -> Delivery:
    return Delivery(
        conversion_id=conversion_id,
        delivery_key=delivery_key(version, partner_id),
        delivery_id=ids.delivery_id(conversion_id, version, partner_id),
        version=version,
        partner_id=partner_id,
        notice=notice,
        created_at=moment,
        updated_at=moment,
        ttl=times.epoch_seconds(moment) + KEPT_DAYS * 86_400,
        **state,
    )
