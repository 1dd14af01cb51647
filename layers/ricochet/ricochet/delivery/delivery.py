"""A delivery: one version of one conversion on its way to one partner, with its attempts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import computed_field

from ricochet.http.attempt import Attempt
from ricochet.ledger.notice import Notice
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import ids, times
from ricochet.values.entity import Entity, Shown, Unaudited
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

DELIVERIES_KEPT_DAYS = 90

SHARDS = 8


class DeliveryState(StrEnum):
    RETRYING = "retrying"  # not delivered yet; a message or its due time starts the next attempt
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"  # the partner accepted a newer version first
    PARKED = "parked"  # given up; an operator may replay it

    @property
    def is_terminal(self) -> bool:
        return self is not DeliveryState.RETRYING


OPEN_STATES = (DeliveryState.RETRYING, DeliveryState.PARKED)
"""The states that the index `byState` lists."""


def shards_of(name: str) -> list[str]:
    """Return every partition of the index `byPartner` for a partner's id, or of `byState` for a state."""
    return [f"{name}#{number}" for number in range(SHARDS)]


class Hold(StrEnum):
    """Why a delivery is held back without an attempt."""

    BREAKER = "breaker"  # the partner's server is failing
    RATE = "rate"  # the partner's limit per second is reached
    PAUSED = "paused"  # the partner is paused
    SLOW = "slow"  # the partner has used its share of this invocation's time
    OTHER_VERSION = "other_version"  # an attempt at another version of the conversion is under way


class Delivery(Entity):
    conversion_id: Shown[str]
    delivery_key: Shown[str]  # version#partnerId
    delivery_id: Shown[str]
    version: Shown[int]
    partner_id: Shown[str]
    state: Shown[DeliveryState]
    notice: Shown[Notice]
    url: Shown[str | None] = None  # as last sent, secrets masked
    attempt_count: Shown[int] = 0
    attempts: Unaudited[tuple[Attempt, ...]] = ()
    tries_from: int | None = None  # the attempts made before it was replayed, which do not count for its schedule
    next_attempt_at: Shown[Moment | None] = None
    lease_until: Moment | None = None  # when the attempt under way is over at the latest
    due_at: Shown[Moment | None] = None  # only while it waits in the due index, without a message
    held_by: Shown[Hold | None] = None
    partner_status: Shown[Status | None] = None  # the status in the partner's reply
    detail: Shown[str | None] = None  # why it ended, where the attempts do not show it
    created_at: Shown[Moment]
    updated_at: Shown[Moment]
    ttl: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def partner_shard(self) -> str:
        """The row's partition of the index `byPartner`."""
        return ids.pick(self.delivery_id, shards_of(self.partner_id))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state_shard(self) -> str | None:
        """The row's partition of the index `byState`; None for a state that is not listed."""
        return ids.pick(self.delivery_id, shards_of(self.state)) if self.state in OPEN_STATES else None

    @property
    def was_accepted(self) -> bool:
        """Whether the partner accepted it before, even if it is being replayed now."""
        return any(attempt.is_success for attempt in self.attempts)

    @property
    def tries(self) -> int:
        """Attempts made since it was created or replayed."""
        return self.attempt_count - (self.tries_from or 0)

    @property
    def needs_retry_message(self) -> bool:
        """Whether its next attempt depends on a message in the retry queue."""
        return self.state is DeliveryState.RETRYING and self.due_at is None

    @property
    def value(self) -> Decimal:
        """The payout that the partner can book: that of a Purchase; no other event pays."""
        return Decimal(self.notice.payout) if self.notice.status is Status.APPROVED else Decimal(0)

    @property
    def seconds_since_news(self) -> float:
        """Seconds from the conversion's change to this row's last change."""
        return times.seconds_between(self.notice.timestamp, self.updated_at)

    @property
    def seconds_on_record(self) -> float:
        """Seconds from this row's creation to its last change."""
        return times.seconds_between(self.created_at, self.updated_at)

    def log_fields(self) -> dict[str, Any]:
        last = self.attempts[-1] if self.attempts else None
        return {
            "delivery_id": self.delivery_id,
            "conversion_id": self.conversion_id,
            "partner_id": self.partner_id,
            "state": self.state,
            "held_by": self.held_by,
            "attempt": self.attempt_count,
            "status_code": last.status_code if last else None,
            "reason": last.error if last else None,
            "ms": last.ms if last else None,
        }

    def log_lines(self) -> Iterator[LogLine]:
        yield LogLine("delivery", self.log_fields())

    def measurements(self) -> Iterator[Measurement]:
        """Yield the result of the last attempt, and how late it was."""
        if self.state is DeliveryState.PARKED:
            yield Measurement(Metric.DELIVERIES_PARKED)
        if self.held_by is not None:
            yield Measurement(Metric.DELIVERIES_HELD)
        elif self.state is DeliveryState.SUPERSEDED:
            yield Measurement(Metric.DELIVERIES_SUPERSEDED)
        elif self.attempts and self.detail is None:  # else it ended without an attempt
            yield from self._attempt_measurements(is_delivered=self.state is DeliveryState.DELIVERED)

    def _attempt_measurements(self, *, is_delivered: bool) -> Iterator[Measurement]:
        if self.attempt_count > 1:
            yield Measurement(Metric.RETRIES_DELIVERED if is_delivered else Metric.RETRIES_FAILED)
            yield Measurement(Metric.RETRY_AGE, self.seconds_on_record)
        elif is_delivered:
            yield Measurement(Metric.FIRST_ATTEMPTS_DELIVERED)
            yield Measurement(Metric.FIRST_DELIVERY_LATENCY, self.seconds_since_news * 1000)
        else:
            yield Measurement(Metric.FIRST_ATTEMPTS_FAILED)


def delivery_key(version: int, partner_id: str) -> str:
    return f"{version_prefix(version)}{partner_id}"


def version_prefix(version: int) -> str:
    return f"{version:06d}#"


def expiry_after(moment: Moment) -> int:
    """Return when a row that is created or replayed at `moment` expires, in epoch seconds."""
    return times.epoch_seconds(moment) + DELIVERIES_KEPT_DAYS * 86_400


def new_delivery(
    conversion_id: str, version: int, partner_id: str, notice: Notice, moment: Moment, **state: Any
) -> Delivery:
    """Return a row without attempts, to be attempted at once unless `state` overrides that."""
    state = {"state": DeliveryState.RETRYING, "next_attempt_at": moment} | state
    return Delivery(
        conversion_id=conversion_id,
        delivery_key=delivery_key(version, partner_id),
        delivery_id=ids.delivery_id(conversion_id, version, partner_id),
        version=version,
        partner_id=partner_id,
        notice=notice,
        created_at=moment,
        updated_at=moment,
        ttl=expiry_after(moment),
        **state,
    )
