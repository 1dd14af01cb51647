"""Retries: each message of the retry queue leads to one attempt at most, and no delivery is lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.fan_out import run_per_partner
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession
from ricochet.delivery.queues import DeliveryMessage
from ricochet.delivery.transitions import Delay, ended, held_back
from ricochet.delivery.worker import DeliveryWorker, DistributionResult, delay_for_other_versions
from ricochet.errors import DeliveryBusyError, QueueRefusedError
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle

LEASE_SECONDS = 60
"""Longer than an attempt can take: if a lease runs out, the process that held it has died."""


@dataclass
class RetryResult(DistributionResult):
    """`failures`: the ids of messages that must come back, each with the reason."""

    failures: dict[str, Exception] = field(default_factory=dict)


class RetryDeliveries(DeliveryWorker):
    def __call__(self, messages: dict[str, DeliveryMessage]) -> RetryResult:
        """Process messages by their ids; those that are not among the result's failures may be deleted."""
        result, gate = RetryResult(), self.gate.open_session()
        rows: dict[str, Delivery] = {}

        def process(item: tuple[str, DeliveryMessage]) -> None:
            message_id, message = item
            try:
                row = self._process(message, gate)
            except Exception as failure:  # noqa: BLE001 - reported with its message, and the others go on
                result.failures[message_id] = failure
            else:
                if row is not None:
                    rows[message_id] = row

        run_per_partner(
            sorted(messages.items(), key=lambda item: item[1].delivery_key),
            process,
            partner_of=lambda item: item[1].partner_id,
            chain_of=lambda item: item[1].conversion_id,  # a partner receives its versions in order
        )
        result.rows = list(rows.values())
        result.failures |= self._enqueue_all(rows)
        result.health_changes = gate.flush()
        return result

    def _enqueue_all(self, rows: dict[str, Delivery]) -> dict[str, Exception]:
        """Return the failure for each message whose next message was refused: it comes back and enqueues it then."""
        try:
            self._enqueue(list(rows.values()))
        except QueueRefusedError as refusal:
            return {message_id: refusal for message_id, row in rows.items() if row.delivery_id in refusal.details}
        except Exception as failure:  # noqa: BLE001 - which messages were sent is unknown: all come back
            return dict.fromkeys(rows, failure)
        return {}

    def _process(self, message: DeliveryMessage, gate: GateSession) -> Delivery | None:
        """Return the row to enqueue next, as recorded; None if this delivery needs nothing more.

        Raise DeliveryBusyError while another attempt at it is under way: the message must come back, since the
        process that makes that attempt may die.
        """
        row = self.deliveries.get(message.conversion_id, message.delivery_key)
        if row is None or row.state is DeliveryState.SUPERSEDED:
            return None
        if row.state is DeliveryState.DELIVERED:
            self._forward_reply(row, self.partners.get(row.partner_id) if row.partner_status else None)
            return None
        if row.state is DeliveryState.PARKED:
            return row if message.is_repeated else None
        if row.lease_until is not None and row.lease_until > self.clock():
            raise DeliveryBusyError("another attempt is under way")
        if row.lease_until is None and row.attempt_count != message.attempt:
            return row if message.is_repeated else None  # an old message: the next one may never have been sent
        partner = self.partners.get(row.partner_id)
        after = self._next(row, partner, gate)
        if not self.deliveries.record(after):
            return None
        self._forward_reply(after, partner)
        return after

    def _next(self, row: Delivery, partner: Partner | None, gate: GateSession) -> Delivery:
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            return ended(row, DeliveryState.PARKED, self.clock(), "the partner was archived")
        if partner.status is Lifecycle.PAUSED:
            return held_back(row, Delay(Hold.PAUSED, 0), self.clock())
        versions = self.deliveries.of_conversion(row.conversion_id)
        others = [one for one in versions if one.partner_id == row.partner_id and one.version != row.version]
        if any(other.version > row.version and other.was_accepted for other in others):
            return ended(row, DeliveryState.SUPERSEDED, self.clock())
        if delay := delay_for_other_versions(others, self.clock()):
            return held_back(row, delay, self.clock())
        return self._held_at_gate(row, partner, gate) or self._attempt(self._claim(row), partner, gate)

    def _claim(self, row: Delivery) -> Delivery:
        """Return the row with its next attempt begun; one whose process died is begun again under its number."""
        attempt = row.attempt_count + 1 if row.lease_until is None else row.attempt_count
        claimed = self.deliveries.claim(row, attempt, times.plus(self.clock(), seconds=LEASE_SECONDS))
        if claimed is None:
            raise DeliveryBusyError("another attempt has just begun")
        return claimed


def parse_messages(records: Iterable[tuple[str, str, int]]) -> tuple[dict[str, DeliveryMessage], list[str]]:
    """Return the messages in (id, body, receive count) by id, and the ids of those that cannot be read."""
    messages: dict[str, DeliveryMessage] = {}
    unreadable: list[str] = []
    for message_id, body, received in records:
        try:
            messages[message_id] = DeliveryMessage.parse(body, received)
        except (ValueError, KeyError, TypeError):
            unreadable.append(message_id)
    return messages, unreadable
