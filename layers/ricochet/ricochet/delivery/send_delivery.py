"""One attempt at one delivery, from the row before to the row after."""

from __future__ import annotations

from collections.abc import Callable

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.request import compose
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import after_attempt, not_composed
from ricochet.errors import CompositionError
from ricochet.http.client import Sender
from ricochet.values.masking import masked


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
