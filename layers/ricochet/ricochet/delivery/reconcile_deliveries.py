"""The sweep that proves completeness: missing deliveries, and those whose message was lost, are made due."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery, DeliveryState, shards_of
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import BATCH, DeliveryQueue
from ricochet.delivery.sweeps_table import SweepsTable
from ricochet.delivery.transitions import due_delivery, ended, in_due_index, should_receive
from ricochet.ledger.conversion import Conversion, day_shards
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.notice import versions_of
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.delivery.settings import ReconcileSettings

GRACE_MINUTES = 30
"""Younger changes may still be on their way: the stream may lag, or repeat a batch."""

STRANDED_HOURS = 2
"""A message is delayed by 15 minutes at most, and its queue is read all the time: after this long it is lost."""

OVERLAP_HOURS = 1

FIRST_SWEEP_HOURS = 24

CHECKED_DAYS = 80
"""Older deliveries expire after 90 days, so whether one is missing can no longer be known."""

LAST_DAYS = 30
"""A delivery that still waits this long before its row expires, such as one to a paused partner, is parked."""

THREADS = 16

SLICE_MINUTES = 5


@dataclass
class Reconciliation:
    """What a sweep found and repaired; `until` is how far it came. It is not complete if time ran out before."""

    until: Moment
    conversions: int = 0
    missing: list[Delivery] = field(default_factory=list)
    stranded: list[Delivery] = field(default_factory=list)
    given_up: list[Delivery] = field(default_factory=list)
    is_complete: bool = True

    @property
    def gaps(self) -> int:
        return len(self.missing) + len(self.stranded)

    def summary(self) -> dict[str, Any]:
        return {"until": self.until, "complete": self.is_complete, "conversions": self.conversions}

    def log_lines(self) -> Iterator[LogLine]:
        for kind, rows in (("missing", self.missing), ("stranded", self.stranded), ("given up", self.given_up)):
            yield from (LogLine(f"delivery {kind}", row.log_fields(), logging.WARNING) for row in rows)
        yield LogLine("reconciled", self.summary())

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.DELIVERY_GAPS, self.gaps)
        yield Measurement(Metric.DELIVERIES_PARKED, len(self.given_up))
        yield Measurement(Metric.CONVERSIONS_RECONCILED, self.conversions)

    def to_json(self) -> dict[str, Any]:
        found = {"missing": len(self.missing), "stranded": len(self.stranded), "givenUp": len(self.given_up)}
        return self.summary() | found


@dataclass(frozen=True)
class ReconcileDeliveries:
    partners: PartnersTable
    conversions: ConversionsTable
    deliveries: DeliveriesTable
    sweeps: SweepsTable
    parking: DeliveryQueue
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, dynamodb: DynamoDBClient, sqs: SQSClient, settings: ReconcileSettings) -> Self:
        return cls(
            PartnersTable(dynamodb, settings.partners_table),
            ConversionsTable(dynamodb, settings.conversions_table),
            DeliveriesTable(dynamodb, settings.deliveries_table),
            SweepsTable(dynamodb, settings.health_table),
            DeliveryQueue(sqs, settings.parking_queue_url),
        )

    def __call__(
        self, has_time: Callable[[], bool], since: Moment | None = None, until: Moment | None = None
    ) -> Reconciliation:
        """Sweep the changes since the last sweep up to half an hour ago, or from `since` to `until`.

        What is found is due at once, and released at its partner's rate.
        """
        moment = self.clock()
        latest = until or times.plus(moment, minutes=-GRACE_MINUTES)
        result = Reconciliation(until=since or self._start(latest))
        partners = [partner for partner in self.partners.all() if partner.status is not Lifecycle.ARCHIVED]
        for start, end in _slices(result.until, latest):
            if not has_time():
                result.is_complete = False
                break
            self._sweep(partners, start, end, result)
            result.until = end
            if since is None and until is None:
                self.sweeps.advance(end)
        self._check_waiting(until or times.plus(moment, hours=-STRANDED_HOURS), has_time, result)
        return result

    def _start(self, latest: Moment) -> Moment:
        swept = self.sweeps.swept_until()
        return times.plus(swept, hours=-OVERLAP_HOURS) if swept else times.plus(latest, hours=-FIRST_SWEEP_HOURS)

    def _sweep(self, partners: list[Partner], start: Moment, end: Moment, result: Reconciliation) -> None:
        shards = [shard for day in dict.fromkeys((start[:10], end[:10])) for shard in day_shards(day)]
        changed = (row for shard in shards for row in self.conversions.changed(shard, start, end))
        with ThreadPoolExecutor(THREADS, thread_name_prefix="sweep") as pool:
            for batch in batched(changed, 20 * THREADS, strict=False):
                for found in pool.map(lambda conversion: self._missing(conversion, partners), batch):
                    result.conversions += 1
                    result.missing += [row for row in found if self.deliveries.put_first(row)]

    def _missing(self, conversion: Conversion, partners: list[Partner]) -> list[Delivery]:
        if conversion.is_tombstone:
            return []
        moment = self.clock()
        oldest = times.plus(moment, days=-CHECKED_DAYS)
        wanted = [
            (version, partner)
            for version in versions_of(conversion)
            for partner in partners
            if version.notice.timestamp > oldest and should_receive(version, partner)
        ]
        if not wanted:
            return []
        recorded = {(row.version, row.partner_id) for row in self.deliveries.of_conversion(conversion.conversion_id)}
        return [
            due_delivery(conversion.conversion_id, version, partner, moment)
            for version, partner in wanted
            if (version.version, partner.partner_id) not in recorded
        ]

    def _check_waiting(self, latest: Moment, has_time: Callable[[], bool], result: Reconciliation) -> None:
        moment = self.clock()
        waiting = (row for shard in shards_of(DeliveryState.RETRYING) for row in self.deliveries.in_state(shard))
        for batch in batched(waiting, BATCH, strict=False):
            if not has_time():
                result.is_complete = False
                return
            self._give_up([row for row in batch if _is_about_to_expire(row, moment)], moment, result)
            stranded = [row for row in batch if _is_stranded(row, latest) and not _is_about_to_expire(row, moment)]
            result.stranded += [
                row for row in stranded if self.deliveries.replace(in_due_index(row, moment, moment), row)
            ]

    def _give_up(self, rows: list[Delivery], moment: Moment, result: Reconciliation) -> None:
        """Send the messages before the rows change: a surplus message is ignored, a row parked without one is lost."""
        ends = [ended(row, DeliveryState.PARKED, moment, "it waited until its row was about to expire") for row in rows]
        self.parking.send(ends, moment)
        result.given_up += [end for end, row in zip(ends, rows, strict=True) if self.deliveries.replace(end, row)]


def _is_about_to_expire(row: Delivery, moment: Moment) -> bool:
    return row.ttl < times.epoch_seconds(times.plus(moment, days=LAST_DAYS))


def _is_stranded(row: Delivery, latest: Moment) -> bool:
    """Return whether the row waits for a message that should have arrived long ago."""
    return row.due_at is None and max(row.next_attempt_at or "", row.lease_until or "", row.updated_at) < latest


def _slices(start: Moment, end: Moment) -> Iterable[tuple[Moment, Moment]]:
    while start < end:
        stop = min(times.plus(start, minutes=SLICE_MINUTES), end)
        yield start, stop
        start = stop
