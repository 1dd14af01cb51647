"""What becomes of a delivery after an attempt."""

from __future__ import annotations

from typing import Any

from ricochet.models import times
from ricochet.models.delivery import Attempt, Delivery, DeliveryState
from ricochet.models.ids import digest
from ricochet.rules.retry_schedule import MAX_QUEUE_DELAY, RetrySchedule, is_success

DUE_SHARDS = 4


def after_attempt(
    delivery: Delivery, attempt: Attempt, retry_after: int | None, schedule: RetrySchedule, moment: str
) -> Delivery:
    """The row with one attempt more: delivered, waiting for the next, or parked after the last."""
    earlier = tuple(past.with_changes(reply=None) for past in delivery.attempts)
    done = delivery.with_changes(attempts=(*earlier, attempt), lease_until=None, **_not_waiting(), updated_at=moment)
    if is_success(attempt.status_code):
        return done.with_changes(state=DeliveryState.DELIVERED)
    wait = schedule.wait_after(done.attempt_count, attempt.status_code, retry_after)
    if wait is None:
        return done.with_changes(state=DeliveryState.PARKED)
    return waiting(done, wait, moment)


def waiting(delivery: Delivery, seconds: float, moment: str) -> Delivery:
    """The row waiting so long for its next attempt: by a queue's delay, or in the due index if that is too short."""
    at = times.plus(moment, seconds=seconds)
    longer = seconds > MAX_QUEUE_DELAY
    due = {"due_shard": due_shard(delivery.delivery_id), "due_at": at} if longer else {}
    return delivery.with_changes(
        **_not_waiting() | {"next_attempt_at": at, "updated_at": moment, "lease_until": None} | due
    )


def ended(delivery: Delivery, state: DeliveryState, moment: str) -> Delivery:
    return delivery.with_changes(state=state, updated_at=moment, lease_until=None, **_not_waiting())


def queue_delay(delivery: Delivery, moment: str) -> int:
    """Whole seconds from `moment` until the next attempt, as a queue can wait."""
    if delivery.next_attempt_at is None:
        return 0
    seconds = (times.parse(delivery.next_attempt_at) - times.parse(moment)).total_seconds()
    return max(0, min(MAX_QUEUE_DELAY, round(seconds)))


def due_shard(delivery_id: str) -> str:
    return f"due#{int(digest(delivery_id)[:8], 16) % DUE_SHARDS}"


def due_shards() -> list[str]:
    return [f"due#{number}" for number in range(DUE_SHARDS)]


def _not_waiting() -> dict[str, Any]:
    return {"next_attempt_at": None, "due_shard": None, "due_at": None}
