"""A delivery that failed is tried again, as often as its schedule allows and only once for each attempt."""

from __future__ import annotations

from ricochet.errors import DeliveryBusyError
from ricochet.models import times
from ricochet.models.delivery import Delivery, DeliveryState
from ricochet.models.product import Lifecycle
from ricochet.rules.delivery_progress import ended, waiting
from ricochet.sender.queues import DeliveryMessage
from ricochet.use_cases.telling_partners import TellingPartners

LEASE_SECONDS = 60
"""Longer than an attempt can take: after that whoever began it is dead."""

PAUSED_SECONDS = 3600
"""How long what is meant for a paused partner waits before it is looked at again."""


class RetryDelivery(TellingPartners):
    def __call__(self, message: DeliveryMessage) -> Delivery | None:
        """The delivery as it stands now; None if there is nothing of that name.

        DeliveryBusyError while another attempt at it is under way: the message must come back then, since that
        attempt may die.
        """
        row = self._deliveries.get(message.conversion_id, message.delivery_key)
        if row is None or row.state.is_terminal:
            return row and self._hand_on(row)
        if row.lease_until is not None and row.lease_until > self._clock():
            raise DeliveryBusyError("another attempt is under way")
        if row.lease_until is None and row.attempt_count != message.attempt:
            return self._hand_on(row)  # an old message: the one that followed it may have been lost
        partner = self._partners.get(row.partner_id)
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            return self._finish(row, ended(row, DeliveryState.PARKED, self._clock()))
        if partner.status is Lifecycle.PAUSED:
            return self._finish(row, waiting(row, PAUSED_SECONDS, self._clock()))
        if self._deliveries.newer_is_delivered(row):
            return self._finish(row, ended(row, DeliveryState.SUPERSEDED, self._clock()))
        claimed = self._claim(row)
        return self._finish(claimed, self._attempts(claimed, partner))

    def _claim(self, row: Delivery) -> Delivery:
        """The row with its next attempt begun, or with the one begun again whose maker died before it could tell."""
        attempt = row.attempt_count + 1 if row.lease_until is None else row.attempt_count
        claimed = self._deliveries.claim(row, attempt, times.plus(self._clock(), seconds=LEASE_SECONDS))
        if claimed is None:
            raise DeliveryBusyError("another attempt has just begun")
        return claimed

    def _finish(self, before: Delivery, after: Delivery) -> Delivery:
        """Row first, then message: if we die in between, the message in hand comes back and is handed on."""
        if not self._deliveries.record(after):
            return before
        return self._hand_on(after)

    def _hand_on(self, row: Delivery) -> Delivery:
        if row.state is DeliveryState.PARKED:
            self._parking.send([row], self._clock(), at_once=True)
        elif row.state is DeliveryState.RETRYING and row.due_at is None:
            self._retries.send([row], self._clock())
        return row
