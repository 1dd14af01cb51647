"""Deliveries that failed are tried again, as often as their schedule allows and only once for each attempt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.fan_out import run_per_partner
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession
from ricochet.delivery.queues import DeliveryMessage
from ricochet.delivery.transitions import Wait, ended, held
from ricochet.delivery.worker import DeliveryWorker, DistributionResult, wait_for
from ricochet.errors import DeliveryBusyError, QueueRefusedError
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle

LEASE_SECONDS = 60
"""Longer than an attempt can take: after that whoever began it is dead."""


@dataclass
class RetryResult(DistributionResult):
    """`again`: messages (by their ids) that must come back, each with the reason."""

    again: dict[str, Exception] = field(default_factory=dict)


class RetryDeliveries(DeliveryWorker):
    def __call__(self, messages: dict[str, DeliveryMessage]) -> RetryResult:
        """What became of each message, by its id; a message that did its duty need not come back."""
        result, gate = RetryResult(), self._gate.opened()
        rows: dict[str, Delivery] = {}

        def take(item: tuple[str, DeliveryMessage]) -> None:
            message_id, message = item
            try:
                row = self._take(message, gate)
            except Exception as failure:  # noqa: BLE001 - it is told with its message, and the others go on
                result.again[message_id] = failure
            else:
                if row is not None:
                    rows[message_id] = row

        run_per_partner(
            sorted(messages.items(), key=lambda item: item[1].delivery_key),
            take,
            partner_of=lambda item: item[1].partner_id,
            chain_of=lambda item: item[1].conversion_id,  # a partner hears of its versions in their order
        )
        result.rows = list(rows.values())
        result.again |= self._queue_all(rows)
        result.health_changes = gate.flush()
        return result

    def _queue_all(self, rows: dict[str, Delivery]) -> dict[str, Exception]:
        """Messages in hand whose successors the queue refused: they come back, and are handed on then."""
        try:
            self._queue(list(rows.values()))
        except QueueRefusedError as refusal:
            return {message_id: refusal for message_id, row in rows.items() if row.delivery_id in refusal.details}
        except Exception as failure:  # noqa: BLE001 - which of them got there is unknown: all come back
            return dict.fromkeys(rows, failure)
        return {}

    def _take(self, message: DeliveryMessage, gate: GateSession) -> Delivery | None:
        """The delivery as it stands now, a new message for it not yet sent; None if there is nothing to be told.

        DeliveryBusyError while another attempt at it is under way: the message must come back then, since that
        attempt may die.
        """
        row = self._deliveries.get(message.conversion_id, message.delivery_key)
        if row is None or row.state is DeliveryState.SUPERSEDED:
            return None
        if row.state is DeliveryState.DELIVERED:
            self._forward_reply(row, self._partners.get(row.partner_id) if row.partner_status else None)
            return None
        if row.state is DeliveryState.PARKED:
            return row if message.is_repeated else None
        if row.lease_until is not None and row.lease_until > self._clock():
            raise DeliveryBusyError("another attempt is under way")
        if row.lease_until is None and row.attempt_count != message.attempt:
            return row if message.is_repeated else None  # an old message: what followed it may have been lost with us
        partner = self._partners.get(row.partner_id)
        after = self._next(row, partner, gate)
        if not self._deliveries.record(after):
            return None
        self._forward_reply(after, partner)
        return after

    def _next(self, row: Delivery, partner: Partner | None, gate: GateSession) -> Delivery:
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            return ended(row, DeliveryState.PARKED, self._clock(), "the partner was archived")
        if partner.status is Lifecycle.PAUSED:
            return held(row, Wait(Hold.PAUSED, 0), self._clock())
        versions = self._deliveries.of_conversion(row.conversion_id)
        others = [one for one in versions if one.partner_id == row.partner_id and one.version != row.version]
        if any(other.version > row.version and other.was_taken for other in others):
            return ended(row, DeliveryState.SUPERSEDED, self._clock())
        if wait := wait_for(others, self._clock()):
            return held(row, wait, self._clock())
        return self._hold(row, partner, gate) or self._attempt(self._claim(row), partner, gate)

    def _claim(self, row: Delivery) -> Delivery:
        """The row with its next attempt begun, or with the one begun again whose maker died before it could tell."""
        attempt = row.attempt_count + 1 if row.lease_until is None else row.attempt_count
        claimed = self._deliveries.claim(row, attempt, times.plus(self._clock(), seconds=LEASE_SECONDS))
        if claimed is None:
            raise DeliveryBusyError("another attempt has just begun")
        return claimed


def parse_messages(records: Iterable[tuple[str, str, int]]) -> tuple[dict[str, DeliveryMessage], list[str]]:
    """(message id, body, how often received) as messages by their ids, and the ids of those that are none of ours."""
    messages: dict[str, DeliveryMessage] = {}
    strange: list[str] = []
    for message_id, body, received in records:
        try:
            messages[message_id] = DeliveryMessage.parse(body, received)
        except (ValueError, KeyError, TypeError):
            strange.append(message_id)
    return messages, strange
