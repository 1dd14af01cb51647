"""What first attempts and later ones have in common: whom to tell, what is recorded, where to queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.event_bus import EventBus
from ricochet.delivery.partner_reply import PartnerReply, PartnerReplyQueue, named_status
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession, HealthChanges, PartnerGate
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryQueue
from ricochet.delivery.send_delivery import Attempts
from ricochet.delivery.transitions import Wait, held
from ricochet.http.client import Limits, Sender
from ricochet.values import times

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.delivery.settings import DeliverySettings


@dataclass
class DistributionResult:
    """What one invocation did: the rows as they stand now, and what it learned of partners."""

    rows: list[Delivery] = field(default_factory=list)
    health_changes: HealthChanges = field(default_factory=HealthChanges)


class DeliveryWorker:
    def __init__(
        self,
        partners: PartnersTable,
        deliveries: DeliveriesTable,
        gate: PartnerGate,
        attempts: Attempts,
        retries: DeliveryQueue,
        parking: DeliveryQueue,
        words: PartnerReplyQueue,
        clock: Callable[[], str] = times.now,
    ) -> None:
        self._partners = partners
        self._deliveries = deliveries
        self._gate = gate
        self._attempts = attempts
        self._retries = retries
        self._parking = parking
        self._words = words
        self._clock = clock

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
            Attempts(Sender(settings.allowed_targets, limits), schedule, times.now),
            DeliveryQueue(sqs, settings.retry_queue_url),
            DeliveryQueue(sqs, settings.parking_queue_url),
            PartnerReplyQueue(sqs, settings.reply_queue_url),
        )

    def _attempt(self, row: Delivery, partner: Partner, gate: GateSession) -> Delivery:
        """The row after the attempt that it counts already."""
        row = self._attempts(row, partner)
        gate.record(partner.partner_id, row.attempts[-1])
        if row.state is not DeliveryState.DELIVERED:
            return row
        return row.with_changes(partner_status=named_status(row.attempts[-1].reply, partner, row.notice.status))

    def _forward_reply(self, row: Delivery, partner: Partner | None) -> None:
        """What the partner called the conversion goes where it may move it, if the partner may decide.

        After the row is written: what fails here must not tell the partner again. It is done again for a row that
        comes back as delivered, which changes nothing the second time.
        """
        word = row.partner_status
        if word in (None, row.notice.status) or partner is None or not partner.reply_updates_status:
            return
        self._words.put(
            PartnerReply(
                partner_id=partner.partner_id,
                conversion_id=row.conversion_id,
                version=row.version,
                delivery_id=row.delivery_id,
                status=word,
            )
        )

    def _hold(self, row: Delivery, partner: Partner, gate: GateSession) -> Delivery | None:
        """The row put off, if the gate does not let it through now."""
        wait = gate.check(partner)
        return None if wait is None else held(row, wait, self._clock())

    def _queue(self, rows: list[Delivery]) -> None:
        """A message for every row that needs one; all are tried before QueueRefusedError."""
        try:
            self._retries.send([row for row in rows if needs_message(row)], self._clock())
        finally:
            self._parking.send([row for row in rows if row.state is DeliveryState.PARKED], self._clock())


def needs_message(row: Delivery) -> bool:
    return row.state is DeliveryState.RETRYING and row.due_at is None


def wait_for(versions: Iterable[Delivery], moment: str) -> Wait | None:
    """Until attempts at these versions of a conversion, which are under way elsewhere, are over at the latest."""
    leases = [row.lease_until for row in versions if row.lease_until is not None and row.lease_until > moment]
    if not leases:
        return None
    return Wait(Hold.OTHER_VERSION, times.seconds_between(moment, max(leases)))
