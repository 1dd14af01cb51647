"""Operators redrive the parking queue: deliveries that were given up are attempted again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery, DeliveryState
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryMessage, ParkedMessage, ParkingQueue
from ricochet.delivery.transitions import in_due_index, restarted
from ricochet.values import times
from ricochet.values.change import Audit
from ricochet.values.entity import Model, View
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment


class RedriveRequest(Model):
    limit: Annotated[int, Field(ge=1, le=100)] = 100
    dry_run: bool = True


class RedriveOutcome(StrEnum):
    """The outcome for one message; after the first three it leaves the queue."""

    REPLAYED = "replayed"
    RESUMED = "resumed"  # our side had failed, not the partner: it goes on where it was
    STALE = "stale"  # its delivery has moved on without it
    KEPT = "kept"  # the partner is archived, or the delivery was changed concurrently
    UNREADABLE = "unreadable"  # not one of our messages: a person must look


_DONE = frozenset({RedriveOutcome.REPLAYED, RedriveOutcome.RESUMED, RedriveOutcome.STALE})


class ParkingQueueView(View):
    """About how many messages there are, and how many deliveries are parked, with or without a message."""

    dry_run: bool = True
    messages: int
    parked: int


class Redriven(View):
    """How many messages were received, and how many of them had which outcome."""

    dry_run: bool = False
    received: int = 0
    replayed: int = 0
    resumed: int = 0
    stale: int = 0
    kept: int = 0
    unreadable: int = 0

    def plus(self, outcome: RedriveOutcome) -> Self:
        return self.with_changes(received=self.received + 1, **{outcome: getattr(self, outcome) + 1})


@dataclass(frozen=True)
class RedriveParked:
    partners: PartnersTable
    deliveries: DeliveriesTable
    parking: ParkingQueue
    audit: Audit
    clock: Callable[[], Moment] = times.now

    def count(self) -> ParkingQueueView:
        return ParkingQueueView(messages=self.parking.size(), parked=self.deliveries.count(DeliveryState.PARKED))

    def __call__(
        self, limit: int, has_time: Callable[[], bool], progress: Callable[[int], None] = lambda _: None
    ) -> Redriven:
        """Redrive at most `limit` messages; each is deleted only after its row is written.

        `progress` is called with the number of messages that were redriven since the last call.
        """
        result = Redriven()
        try:
            for message in self.parking.take(limit):
                outcome = self._redrive(message)
                if outcome in _DONE:
                    self.parking.delete(message)
                result = result.plus(outcome)
                progress(1)
                if not has_time():
                    break
        finally:  # also when it is interrupted
            self.audit.record_run("deliveries.redriven", "the parking queue", result.model_dump(exclude={"dry_run"}))
        return result

    def _redrive(self, parked: ParkedMessage) -> RedriveOutcome:
        try:
            message = DeliveryMessage.parse(parked.body)
        except (ValueError, KeyError, TypeError):
            return RedriveOutcome.UNREADABLE
        row = self.deliveries.get(message.conversion_id, message.delivery_key)
        if row is None or row.state in (DeliveryState.DELIVERED, DeliveryState.SUPERSEDED):
            return RedriveOutcome.STALE
        if row.state is DeliveryState.RETRYING:
            return self._resume(row, message)
        partner = self.partners.get(row.partner_id)
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            return RedriveOutcome.KEPT
        return (
            RedriveOutcome.REPLAYED
            if self.deliveries.replace(restarted(row, self.clock()), row)
            else RedriveOutcome.KEPT
        )

    def _resume(self, row: Delivery, message: DeliveryMessage) -> RedriveOutcome:
        """Make the row due again: SQS itself parked its only message after we failed on it several times."""
        if row.due_at is not None or (row.lease_until is None and row.attempt_count != message.attempt):
            return RedriveOutcome.STALE
        moment = self.clock()
        if row.lease_until is not None and row.lease_until > moment:
            return RedriveOutcome.KEPT
        return (
            RedriveOutcome.RESUMED
            if self.deliveries.replace(in_due_index(row, moment, moment), row)
            else RedriveOutcome.KEPT
        )
