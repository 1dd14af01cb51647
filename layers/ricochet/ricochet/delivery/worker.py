"""One delivery, step by step; first attempts (`distribute_conversions`) and retries (`retry_deliveries`) share it.

1. Check the partner's gate: may it be sent to now?     `partners/partner_gate.py`
2. Claim a retry, so that no other process makes it.     `retry_deliveries.py`
3. Compose and sign the request.     `request.py`
4. Send it.     `http/client.py`
5. Decide what the delivery becomes, and when it is retried.     `transitions.py`, `retry_schedule.py`
6. Record the row.     `deliveries_table.py`
7. Enqueue the retry or park the delivery, and pass on the partner's reply.     `queues.py`, `partner_reply.py`

How many are under way at once is decided in `fan_out.py`; a delay that is too long for a queue ends in
`release_due_deliveries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.event_bus import EventBus
from ricochet.delivery.partner_reply import PartnerReply, PartnerReplyQueue, status_in_reply
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession, HealthChanges, PartnerGate
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryQueue
from ricochet.delivery.request import compose
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Delay, after_attempt, held_back, not_composed
from ricochet.errors import CompositionError
from ricochet.http.client import Limits, Sender
from ricochet.values import times
from ricochet.values.masking import masked
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.delivery.settings import DeliverySettings


@dataclass
class DistributionResult:
    """The rows that one invocation processed, as recorded, and how the health of partners changed."""

    rows: list[Delivery] = field(default_factory=list)
    health_changes: HealthChanges = field(default_factory=HealthChanges)


@dataclass(frozen=True)
class DeliveryWorker:
    partners: PartnersTable
    deliveries: DeliveriesTable
    gate: PartnerGate
    sender: Sender
    schedule: RetrySchedule
    retry_queue: DeliveryQueue
    parking_queue: DeliveryQueue
    reply_queue: PartnerReplyQueue
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(
        cls,
        dynamodb: DynamoDBClient,
        sqs: SQSClient,
        events: EventBridgeClient,
        settings: DeliverySettings,
        limits: Limits,
    ) -> Self:
        partners, schedule = PartnersTable(dynamodb, settings.partners_table), settings.retry_schedule
        health = HealthTable(dynamodb, settings.health_table)
        return cls(
            partners,
            DeliveriesTable(dynamodb, settings.deliveries_table),
            PartnerGate(health, partners, EventBus(events), schedule),
            Sender(settings.allowed_targets, limits),
            schedule,
            DeliveryQueue(sqs, settings.retry_queue_url),
            DeliveryQueue(sqs, settings.parking_queue_url),
            PartnerReplyQueue(sqs, settings.reply_queue_url),
        )

    def _held_at_gate(self, row: Delivery, partner: Partner, gate: GateSession) -> Delivery | None:
        """Return the row held back, or None if the gate lets it pass now."""
        delay = gate.check(partner)
        return None if delay is None else held_back(row, delay, self.clock())

    def _attempt(self, row: Delivery, partner: Partner, gate: GateSession) -> Delivery:
        """Return the row after the attempt, which its `attempt_count` includes already."""
        row = self._send(row, partner)
        attempt = row.attempts[-1]
        gate.record(partner.partner_id, attempt)
        if row.state is not DeliveryState.DELIVERED:
            return row
        return row.with_changes(partner_status=status_in_reply(attempt.reply, partner, row.notice.status))

    def _send(self, row: Delivery, partner: Partner) -> Delivery:
        try:
            outbound = compose(row, partner, self.clock())
        except CompositionError as error:
            return not_composed(row, error.message, self.clock())
        row = row.with_changes(url=masked(outbound.url))
        sent = self.sender.send(outbound)
        return after_attempt(row, sent.attempt, sent.retry_after, self.schedule, self.clock())

    def _forward_reply(self, row: Delivery, partner: Partner | None) -> None:
        """Pass on the status in the partner's reply, if it differs from ours and the partner may decide.

        Called after the row is recorded, so that a failure here does not deliver again. Called again for a row that
        comes back as delivered: the second time changes nothing.
        """
        status = row.partner_status
        if status in (None, row.notice.status) or partner is None or not partner.reply_updates_status:
            return
        self.reply_queue.put(
            PartnerReply(
                partner_id=partner.partner_id,
                conversion_id=row.conversion_id,
                version=row.version,
                delivery_id=row.delivery_id,
                status=status,
            )
        )

    def _enqueue(self, rows: list[Delivery]) -> None:
        """Send a message for each row that needs one. Raise QueueRefusedError, but only after trying all of them."""
        try:
            self.retry_queue.send([row for row in rows if row.needs_retry_message], self.clock())
        finally:
            self.parking_queue.send([row for row in rows if row.state is DeliveryState.PARKED], self.clock())


def delay_for_other_versions(versions: Iterable[Delivery], moment: Moment) -> Delay | None:
    """Return the delay until the attempts at these versions that are under way are over at the latest."""
    leases = [row.lease_until for row in versions if row.lease_until is not None and row.lease_until > moment]
    if not leases:
        return None
    return Delay(Hold.OTHER_VERSION, times.seconds_between(moment, max(leases)))
