"""What a delivery becomes: after an attempt, when it is held back, when it ends, when it is replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ricochet.delivery.delivery import Delivery, DeliveryState, Hold, expiry_after, new_delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.retry_schedule import MAX_QUEUE_DELAY, RetrySchedule, is_refusal
from ricochet.http.attempt import Attempt
from ricochet.ledger.notice import VersionNotice
from ricochet.values import times
from ricochet.values.times import Moment

KEPT_ATTEMPTS = 40
"""The latest; a delivery that is replayed again and again must still fit into one item."""


@dataclass(frozen=True)
class Delay:
    """Why a delivery is held back and for how long at least; it is then released at its partner's rate."""

    reason: Hold
    seconds: float


def after_attempt(
    delivery: Delivery, attempt: Attempt, retry_after: int | None, schedule: RetrySchedule, moment: Moment
) -> Delivery:
    """Return the row with one more attempt: delivered, waiting for the next, or parked after the last."""
    row = _with_attempt(delivery, attempt, moment)
    if attempt.is_success:
        return row.with_changes(state=DeliveryState.DELIVERED)
    refusals = sum(is_refusal(one.status_code) for one in row.attempts[-row.tries :])
    delay = schedule.delay_after(row.tries, refusals, retry_after)
    if delay is None:
        return row.with_changes(state=DeliveryState.PARKED)
    return waiting(row, delay, moment)


def not_composed(delivery: Delivery, reason: str, moment: Moment) -> Delivery:
    """Return the row parked without a request: a retry would fail on the same template."""
    attempt = Attempt(at=moment, ms=0, error=reason[:256], not_sent=True)
    return ended(_with_attempt(delivery, attempt, moment), DeliveryState.PARKED, moment, "no request could be composed")


def waiting(delivery: Delivery, seconds: float, moment: Moment) -> Delivery:
    """Return the row waiting for its next attempt: in the queue, or in the due index if that is too long."""
    at = times.plus(moment, seconds=seconds)
    if seconds > MAX_QUEUE_DELAY:
        return in_due_index(delivery, at, moment)
    return _moved(delivery, moment, next_attempt_at=at)


def in_due_index(delivery: Delivery, at: Moment, moment: Moment) -> Delivery:
    """Return the row waiting without a message until it is released, not before `at`."""
    return _moved(delivery, moment, next_attempt_at=at, due_at=at)


def held_back(delivery: Delivery, delay: Delay, moment: Moment) -> Delivery:
    """Return the row held back in the due index, without using up an attempt."""
    until = times.plus(moment, seconds=delay.seconds)
    return in_due_index(delivery, until, moment).with_changes(held_by=delay.reason)


def ended(delivery: Delivery, state: DeliveryState, moment: Moment, detail: str | None = None) -> Delivery:
    return _moved(delivery, moment, state=state, detail=detail)


def restarted(delivery: Delivery, moment: Moment) -> Delivery:
    """Return the row due now with its whole schedule ahead of it, under the same delivery id."""
    return _moved(
        delivery,
        moment,
        state=DeliveryState.RETRYING,
        detail=None,
        tries_from=delivery.attempt_count,
        next_attempt_at=moment,
        due_at=moment,
        ttl=expiry_after(moment),
    )


def queue_delay(delivery: Delivery, moment: Moment) -> int:
    """Return the whole seconds from `moment` until the next attempt, at most what a queue can wait."""
    if delivery.next_attempt_at is None:
        return 0
    seconds = (times.parse(delivery.next_attempt_at) - times.parse(moment)).total_seconds()
    return max(0, min(MAX_QUEUE_DELAY, round(seconds)))


def _with_attempt(delivery: Delivery, attempt: Attempt, moment: Moment) -> Delivery:
    earlier = tuple(past.with_changes(reply=None) for past in delivery.attempts)
    return _moved(delivery, moment, attempts=(*earlier, attempt)[-KEPT_ATTEMPTS:])


def _moved(delivery: Delivery, moment: Moment, **changes: Any) -> Delivery:
    """Return the row with `changes`, and without what it waited for before."""
    not_waiting = {"next_attempt_at": None, "due_at": None, "lease_until": None, "held_by": None}
    return delivery.with_changes(**not_waiting | {"updated_at": moment} | changes)


def should_receive(version: VersionNotice, partner: Partner) -> bool:
    """Return whether the partner was subscribed when this version came about, and did not make it itself."""
    return version.changed_by != partner.actor and partner.was_subscribed(version.notice)


def due_delivery(conversion_id: str, version: VersionNotice, partner: Partner, moment: Moment) -> Delivery:
    """Return a new delivery that waits in the due index to be released."""
    return new_delivery(conversion_id, version.version, partner.partner_id, version.notice, moment, due_at=moment)
