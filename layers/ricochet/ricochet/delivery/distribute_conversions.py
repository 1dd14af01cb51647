"""Every active partner that wants to know is told, at once; whoever cannot be reached is told later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ricochet.delivery.delivery import Delivery, new_delivery
from ricochet.delivery.fan_out import run_per_partner
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import GateSession
from ricochet.delivery.transitions import Wait, held
from ricochet.delivery.worker import DeliveryWorker, DistributionResult, wait_for
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import images
from ricochet.ledger.notice import Notice


@dataclass(frozen=True)
class _Job:
    delivery: Delivery
    partner: Partner
    wait: Wait | None = None  # known before anything is tried


class DistributeConversions(DeliveryWorker):
    def __call__(self, records: Iterable[dict[str, Any]], has_time: Callable[[], bool]) -> DistributionResult:
        """Tells the partners of each record's new version; what `has_time` no longer allows goes to the queue unsent.

        A partner's failure is recorded and queued. Only our own side's failures are raised: the stream then brings
        the same records again, and those that are recorded as delivered are not sent again.
        """
        result, again = DistributionResult(), list[Delivery]()
        conversions = list(filter(None, map(_new_version, records)))
        partners = self._partners.active() if conversions else []
        jobs = [job for conversion in conversions for job in self._jobs(conversion, partners, again)]
        gate = self._gate.opened() if jobs else None
        done = run_per_partner(
            jobs,
            lambda job: self._tell(job, gate, has_time),
            partner_of=lambda job: job.partner.partner_id,
            chain_of=lambda job: job.delivery.conversion_id,  # a partner hears of its versions in their order
        )
        result.rows = done.results
        try:
            self._queue(again + done.results)
        finally:
            result.health_changes = gate.flush() if gate else result.health_changes
        for failure in done.failures:
            raise failure
        return result

    def _jobs(self, conversion: Conversion, partners: list[Partner], again: list[Delivery]) -> Iterable[_Job]:
        """What is to be sent; and into `again` what is recorded, but may not have reached its queue."""
        notice = Notice.of(conversion)
        recorded = self._deliveries.of_conversion(conversion.conversion_id)
        for partner in partners:
            rows = [row for row in recorded if row.partner_id == partner.partner_id]
            row = next((row for row in rows if row.version == conversion.version), None)
            if row is not None:
                again.append(row)
                self._forward_reply(row, partner)
            elif partner.is_subscribed(notice) and conversion.changed_by != partner.actor:
                row = new_delivery(
                    conversion.conversion_id, conversion.version, partner.partner_id, notice, self._clock()
                )
                yield _Job(row, partner, wait_for(rows, self._clock()))

    def _tell(self, job: _Job, gate: GateSession | None, has_time: Callable[[], bool]) -> Delivery:
        row, partner = job.delivery, job.partner
        if job.wait is not None:
            row = held(row, job.wait, self._clock())
        elif gate is not None and has_time():
            put_off = self._hold(row, partner, gate)
            row = put_off or self._attempt(row.with_changes(attempt_count=1), partner, gate)
        if self._deliveries.put_first(row):
            self._forward_reply(row, partner)
        return row


def _new_version(record: dict[str, Any]) -> Conversion | None:
    """The conversion, if this record brought it a status that partners have not heard of.

    What is left after a partial refund is no news, and neither is a reversal of a sale that nobody has heard of.
    """
    old, new = images(record)
    if new is None or new.is_tombstone or (old is not None and old.version == new.version):
        return None
    return new
