"""One attempt at one delivery, from the row before to the row after."""

from __future__ import annotations

from collections.abc import Callable

from ricochet.errors import CompositionError
from ricochet.models.delivery import Delivery
from ricochet.models.partner import Partner
from ricochet.rules.delivery_progress import after_attempt, not_composed
from ricochet.rules.masking import masked
from ricochet.rules.outbound import compose
from ricochet.rules.retry_schedule import RetrySchedule
from ricochet.sender.http import Sender


class Attempts:
    def __init__(self, sender: Sender, schedule: RetrySchedule, clock: Callable[[], str]) -> None:
        self._sender = sender
        self._schedule = schedule
        self._clock = clock

    def __call__(self, delivery: Delivery, partner: Partner) -> Delivery:
        """The row with attempt number `delivery.attempt_count` made; whatever the partner does is an outcome here."""
        try:
            outbound = compose(delivery, partner, self._clock())
        except CompositionError as error:
            return not_composed(delivery, error.message, self._clock())
        delivery = delivery.with_changes(url=masked(outbound.url))
        sent = self._sender.send(outbound)
        return after_attempt(delivery, sent.attempt, sent.retry_after, self._schedule, self._clock())
