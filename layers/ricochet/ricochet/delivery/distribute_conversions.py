"""First attempts: each new version of a conversion is sent to every active partner that subscribes to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ricochet.delivery.delivery import Delivery, new_delivery
from ricochet.delivery.fan_out import run_per_partner
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession
from ricochet.delivery.transitions import Delay, held_back
from ricochet.delivery.worker import DeliveryWorker, DistributionResult, delay_for_other_versions
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import images
from ricochet.ledger.notice import Notice


@dataclass(frozen=True)
class _FirstAttempt:
    delivery: Delivery
    partner: Partner
    delay: Delay | None


class DistributeConversions(DeliveryWorker):
    def __call__(self, records: Iterable[dict[str, Any]], has_time: Callable[[], bool]) -> DistributionResult:
        """Deliver each record's new version; once `has_time` is over, deliveries are enqueued unsent.

        A partner's failure is recorded and retried. Only failures on our side are raised: the stream then brings the
        same records again, and deliveries on record are not sent a second time.
        """
        result, recorded_before = DistributionResult(), list[Delivery]()
        conversions = list(filter(None, map(_new_version, records)))
        partners = self.partners.active() if conversions else []
        attempts = [one for conversion in conversions for one in self._plan(conversion, partners, recorded_before)]
        gate = self.gate.open_session() if attempts else None
        done = run_per_partner(
            attempts,
            lambda attempt: self._deliver(attempt, gate, has_time),
            partner_of=lambda attempt: attempt.partner.partner_id,
            chain_of=lambda attempt: attempt.delivery.conversion_id,  # a partner receives its versions in order
        )
        result.rows = done.results
        try:
            self._enqueue(recorded_before + done.results)
        finally:
            result.health_changes = gate.flush() if gate else result.health_changes
        for failure in done.failures:
            raise failure
        return result

    def _plan(
        self, conversion: Conversion, partners: list[Partner], recorded_before: list[Delivery]
    ) -> Iterable[_FirstAttempt]:
        """Yield the attempts to make; append to `recorded_before` rows whose message may never have been sent."""
        notice = Notice.of(conversion)
        recorded = self.deliveries.of_conversion(conversion.conversion_id)
        for partner in partners:
            rows = [row for row in recorded if row.partner_id == partner.partner_id]
            row = next((row for row in rows if row.version == conversion.version), None)
            if row is not None:
                recorded_before.append(row)
                self._forward_reply(row, partner)
            elif partner.is_subscribed(notice) and conversion.changed_by != partner.actor:
                row = new_delivery(
                    conversion.conversion_id, conversion.version, partner.partner_id, notice, self.clock()
                )
                yield _FirstAttempt(row, partner, delay_for_other_versions(rows, self.clock()))

    def _deliver(self, attempt: _FirstAttempt, gate: GateSession | None, has_time: Callable[[], bool]) -> Delivery:
        row, partner = attempt.delivery, attempt.partner
        if attempt.delay is not None:
            row = held_back(row, attempt.delay, self.clock())
        elif gate is not None and has_time():
            held = self._held_at_gate(row, partner, gate)
            row = held or self._attempt(row.with_changes(attempt_count=1), partner, gate)
        if self.deliveries.put_first(row):
            self._forward_reply(row, partner)
        return row


def _new_version(record: dict[str, Any]) -> Conversion | None:
    """Return the conversion if this record gave it a version that partners have not received.

    A partial refund makes no version, and neither does the reversal of a sale that was never reported.
    """
    old, new = images(record)
    if new is None or new.is_tombstone or (old is not None and old.version == new.version):
        return None
    return new
