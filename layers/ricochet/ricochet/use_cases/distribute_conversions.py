"""Every active partner that wants to know is told, at once; whoever cannot be reached is told later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ricochet.models import times
from ricochet.models.conversion import Conversion
from ricochet.models.delivery import Delivery, Hold, Notice, new_delivery
from ricochet.models.partner import Partner
from ricochet.rules.delivery_progress import Wait, held
from ricochet.tables.conversions import images
from ricochet.use_cases.lanes import in_lanes
from ricochet.use_cases.partner_gate import GateSession
from ricochet.use_cases.telling_partners import TellingPartners, Told, needs_message


@dataclass
class Distribution(Told):
    already_done: int = 0


@dataclass(frozen=True)
class _Job:
    delivery: Delivery
    partner: Partner
    wait: Wait | None = None  # known before anything is tried


class DistributeConversions(TellingPartners):
    def __call__(self, records: Iterable[dict[str, Any]], has_time: Callable[[], bool]) -> Distribution:
        """Tells the partners of each record's new version; what `has_time` no longer allows goes to the queue unsent.

        A partner's failure is recorded and queued. Only our own side's failures are raised: the stream then brings
        the same records again, and those that are recorded as delivered are not sent again.
        """
        result = Distribution()
        conversions = list(filter(None, map(_new_version, records)))
        partners = self._partners.active() if conversions else []
        jobs = [job for conversion in conversions for job in self._jobs(conversion, partners, result)]
        without_message = [row for row in result.rows if needs_message(row)]
        if jobs:
            gate = self._gate.opened()
            done = in_lanes(
                jobs,
                lambda job: self._tell(job, gate, has_time),
                partner_of=lambda job: job.partner.partner_id,
                chain_of=lambda job: job.delivery.conversion_id,  # a partner hears of its versions in their order
            )
            result.rows = done.results
            self._queue(without_message + done.results)
            result.learned = gate.close()
            for failure in done.failures:
                raise failure
        else:
            self._queue(without_message)
        return result

    def _jobs(self, conversion: Conversion, partners: list[Partner], result: Distribution) -> Iterable[_Job]:
        notice = Notice.of(conversion)
        recorded = self._deliveries.of_conversion(conversion.conversion_id)
        for partner in partners:
            rows = [row for row in recorded if row.partner_id == partner.partner_id]
            row = next((row for row in rows if row.version == conversion.version), None)
            if row is None:
                if partner.wants(notice) and conversion.changed_by != partner.mark:
                    earlier = [row for row in rows if row.version < conversion.version]
                    row = new_delivery(
                        conversion.conversion_id, conversion.version, partner.partner_id, notice, self._clock()
                    )
                    yield _Job(row, partner, self._wait_for(earlier))
            elif row.state.is_terminal:
                result.already_done += 1
            else:  # recorded by an invocation that may have died before it reached the queue
                result.rows.append(row)

    def _wait_for(self, earlier: list[Delivery]) -> Wait | None:
        """Until attempts at earlier versions, which are under way elsewhere, are over at the latest."""
        moment = self._clock()
        leases = [row.lease_until for row in earlier if row.lease_until is not None and row.lease_until > moment]
        if not leases:
            return None
        seconds = (times.parse(max(leases)) - times.parse(moment)).total_seconds()
        return Wait(Hold.EARLIER, seconds, by_queue=True)

    def _tell(self, job: _Job, gate: GateSession, has_time: Callable[[], bool]) -> Delivery:
        row, partner = job.delivery, job.partner
        if job.wait is not None:
            row = held(row, job.wait, self._clock())
        elif has_time():
            put_off = self._hold(row, partner, gate)
            row = put_off or self._attempt(row.with_changes(attempt_count=1), partner, gate)
        self._deliveries.put_first(row)
        return row


def _new_version(record: dict[str, Any]) -> Conversion | None:
    """The conversion, if this record brought it a status that partners have not heard of.

    What is left after a partial refund is no news, and neither is a reversal of a sale that nobody has heard of.
    """
    old, new = images(record)
    if new is None or new.is_tombstone or (old is not None and old.version == new.version):
        return None
    return new
