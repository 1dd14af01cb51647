"""Every active partner that wants to know is told, at once; whoever cannot be reached is told later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ricochet.models.conversion import Conversion
from ricochet.models.delivery import Delivery, DeliveryState, Notice, new_delivery
from ricochet.models.partner import Partner
from ricochet.tables.conversions import images
from ricochet.use_cases.telling_partners import TellingPartners

THREADS = 64


@dataclass
class Distribution:
    """What one invocation did: the rows as they stand now, sent or waiting, and how many needed nothing."""

    attempted: list[Delivery] = field(default_factory=list)
    waiting: list[Delivery] = field(default_factory=list)
    already_done: int = 0


@dataclass(frozen=True)
class _Job:
    delivery: Delivery
    partner: Partner


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
        lanes, sending = _lanes(jobs), list[Future[list[Delivery]]]()
        if lanes:
            with ThreadPoolExecutor(max_workers=min(THREADS, len(lanes)), thread_name_prefix="send") as pool:
                sending = [pool.submit(self._send_lane, lane, has_time) for lane in lanes]
            result.attempted += chain.from_iterable(lane.result() for lane in sending if not lane.exception())
        self._retries.send([row for row in result.attempted if _needs_message(row)] + result.waiting, self._clock())
        self._parking.send([row for row in result.attempted if row.state is DeliveryState.PARKED], self._clock())
        for failure in filter(None, (lane.exception() for lane in sending)):
            raise failure
        return result

    def _jobs(self, conversion: Conversion, partners: list[Partner], result: Distribution) -> Iterable[_Job]:
        notice = Notice.of(conversion)
        recorded = self._deliveries.of_version(conversion.conversion_id, conversion.version)
        for partner in partners:
            row = recorded.get(partner.partner_id)
            if row is None:
                if partner.wants(notice):
                    yield _Job(_fresh(conversion, partner, notice, self._clock()), partner)
            elif row.state.is_terminal:
                result.already_done += 1
            elif _needs_message(row):  # recorded by an invocation that may have died before it reached the queue
                result.waiting.append(row)

    def _send_lane(self, lane: list[_Job], has_time: Callable[[], bool]) -> list[Delivery]:
        return [self._attempt(job, has_time) for job in lane]

    def _attempt(self, job: _Job, has_time: Callable[[], bool]) -> Delivery:
        row = job.delivery
        if has_time():
            row = self._attempts(row.with_changes(attempt_count=1), job.partner)
        self._deliveries.put_first(row)
        return row


def _lanes(jobs: Iterable[_Job]) -> list[list[_Job]]:
    """Jobs that must go one after another: a partner is told of a conversion's versions in their order."""
    lanes: dict[tuple[str, str], list[_Job]] = defaultdict(list)
    for job in jobs:
        lanes[job.delivery.conversion_id, job.partner.partner_id].append(job)
    return list(lanes.values())


def _new_version(record: dict[str, Any]) -> Conversion | None:
    """The conversion, if this record brought it a status that partners have not heard of.

    What is left after a partial refund is no news, and neither is a reversal of a sale that nobody has heard of.
    """
    old, new = images(record)
    if new is None or new.is_tombstone or (old is not None and old.version == new.version):
        return None
    return new


def _fresh(conversion: Conversion, partner: Partner, notice: Notice, moment: str) -> Delivery:
    return new_delivery(
        conversion.conversion_id,
        conversion.version,
        partner.partner_id,
        notice,
        moment,
        state=DeliveryState.RETRYING,
        next_attempt_at=moment,
    )


def _needs_message(row: Delivery) -> bool:
    return row.state is DeliveryState.RETRYING and row.due_at is None
