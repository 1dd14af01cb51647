"""Deliveries that waited longer than a queue can delay are handed to the queue when their time has come."""

from __future__ import annotations

from collections.abc import Callable

from ricochet.models import times
from ricochet.rules.delivery_progress import due_shards
from ricochet.sender.queues import DeliveryQueue
from ricochet.tables.deliveries import Deliveries

AT_ONCE = 100


class ReleaseDueDeliveries:
    def __init__(self, deliveries: Deliveries, retries: DeliveryQueue, clock: Callable[[], str] = times.now) -> None:
        self._deliveries = deliveries
        self._retries = retries
        self._clock = clock

    def __call__(self, has_time: Callable[[], bool]) -> int:
        """How many were handed over. Message first, then row: a crash in between costs a second message, not a loss."""
        released = 0
        for shard in due_shards():
            while has_time():
                rows = self._deliveries.due(shard, self._clock(), AT_ONCE)
                self._retries.send(rows, self._clock(), at_once=True)
                for row in rows:
                    self._deliveries.clear_due(row)
                released += len(rows)
                if len(rows) < AT_ONCE:
                    break
        return released
