"""What becomes of a delivery after an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ricochet.delivery.delivery import Delivery, DeliveryState, Hold, expiry_after, new_delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.retry_schedule import MAX_QUEUE_DELAY, RetrySchedule, is_refusal
from ricochet.http.attempt import Attempt
from ricochet.ledger.notice import VersionNotice
from ricochet.values import times

KEPT_ATTEMPTS = 40
"""The latest; a delivery that is replayed again and again must still fit into one item."""


@dataclass(frozen=True)
class Wait:
    """Why and how long a delivery is put off, at least: it is then released at its partner's rate."""

    reason: Hold
    seconds: float


def after_attempt(
    delivery: Delivery, attempt: Attempt, retry_after: int | None, schedule: RetrySchedule, moment: str
) -> Delivery:
    """The row with one attempt more: delivered, waiting for the next, or parked after the last."""
    done = _with_attempt(delivery, attempt, moment)
    if attempt.is_success:
        return done.with_changes(state=DeliveryState.DELIVERED)
    refusals = sum(is_refusal(one.status_code) for one in done.attempts[-done.tries :])
    wait = schedule.wait_after(done.tries, refusals, retry_after)
    if wait is None:
        return done.with_changes(state=DeliveryState.PARKED)
    return waiting(done, wait, moment)


def not_composed(delivery: Delivery, reason: str, moment: str) -> Delivery:
    """Parked without a request: patience mends no template."""
    attempt = Attempt(at=moment, ms=0, error=reason[:256], not_sent=True)
    return ended(_with_attempt(delivery, attempt, moment), DeliveryState.PARKED, moment, "it makes no request")


def waiting(delivery: Delivery, seconds: float, moment: str) -> Delivery:
    """The row waiting so long for its next attempt: by a queue's delay, or in the due index if that is too short."""
    at = times.plus(moment, seconds=seconds)
    if seconds > MAX_QUEUE_DELAY:
        return in_due_index(delivery, at, moment)
    return _moved(delivery, moment, next_attempt_at=at)


def in_due_index(delivery: Delivery, at: str, moment: str) -> Delivery:
    """The row waiting without a message until it is released, not before `at`."""
    return _moved(delivery, moment, next_attempt_at=at, due_at=at)


def held(delivery: Delivery, wait: Wait, moment: str) -> Delivery:
    """The row put off, without an attempt used up."""
    until = times.plus(moment, seconds=wait.seconds)
    return in_due_index(delivery, until, moment).with_changes(held_by=wait.reason)


def ended(delivery: Delivery, state: DeliveryState, moment: str, detail: str | None = None) -> Delivery:
    return _moved(delivery, moment, state=state, detail=detail)


def restarted(delivery: Delivery, moment: str) -> Delivery:
    """The row as if it had just failed for the first time, under the same delivery id, to be tried at once."""
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


def queue_delay(delivery: Delivery, moment: str) -> int:
    """Whole seconds from `moment` until the next attempt, as a queue can wait."""
    if delivery.next_attempt_at is None:
        return 0
    seconds = (times.parse(delivery.next_attempt_at) - times.parse(moment)).total_seconds()
    return max(0, min(MAX_QUEUE_DELAY, round(seconds)))


def _with_attempt(delivery: Delivery, attempt: Attempt, moment: str) -> Delivery:
    earlier = tuple(past.with_changes(reply=None) for past in delivery.attempts)
    return _moved(delivery, moment, attempts=(*earlier, attempt)[-KEPT_ATTEMPTS:])


def _moved(delivery: Delivery, moment: str, **changes: Any) -> Delivery:
    """The row with `changes`, and nothing left of what it waited for before."""
    rested = {"next_attempt_at": None, "due_at": None, "lease_until": None, "held_by": None}
    return delivery.with_changes(**rested | {"updated_at": moment} | changes)


def is_owed(version: VersionNotice, partner: Partner) -> bool:
    """Whether the partner, as it was when this happened, is to be told of it."""
    return version.changed_by != partner.actor and partner.was_subscribed(version.notice)


def due_delivery(conversion_id: str, version: VersionNotice, partner: Partner, moment: str) -> Delivery:
    """A delivery that waits in the due index to be released."""
    return new_delivery(conversion_id, version.version, partner.partner_id, version.notice, moment, due_at=moment)
