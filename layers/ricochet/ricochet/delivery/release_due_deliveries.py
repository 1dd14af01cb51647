"""Deliveries that wait in the due index are handed to the queue when their time has come, at their partner's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, islice
from typing import TYPE_CHECKING, Self

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.fan_out import run_per_partner
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import Breaker, PartnerHealth, rate_at
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryQueue
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.delivery.settings import ReleaseSettings

EACH_SECONDS = 60
"""How often this runs: what it releases is spread over the time until it runs again."""

RATE = 50.0
"""A second, for a partner without a rate of its own: a backlog need not come as one wave."""

AT_ONCE = 100


@dataclass
class ReleaseResult:
    """How many were handed over, and by how many seconds the first of them was late that only we kept waiting."""

    number: int = 0
    oldest_due: float = 0.0

    def log_lines(self) -> Iterable[LogLine]:
        return ()

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.DELIVERIES_RELEASED, self.number)
        yield Measurement(Metric.OLDEST_DUE, self.oldest_due)


class ReleaseDueDeliveries:
    def __init__(
        self,
        partners: PartnersTable,
        deliveries: DeliveriesTable,
        health: HealthTable,
        retries: DeliveryQueue,
        clock: Callable[[], str] = times.now,
    ) -> None:
        self._partners = partners
        self._deliveries = deliveries
        self._health = health
        self._retries = retries
        self._clock = clock

    @classmethod
    def from_settings(cls, dynamodb: DynamoDBClient, sqs: SQSClient, settings: ReleaseSettings) -> Self:
        return cls(
            PartnersTable(dynamodb, settings.partners_table),
            DeliveriesTable(dynamodb, settings.deliveries_table),
            HealthTable(dynamodb, settings.health_table),
            DeliveryQueue(sqs, settings.retry_queue_url),
        )

    def __call__(self, has_time: Callable[[], bool]) -> ReleaseResult:
        """What belongs to a paused partner, or to one whose breaker is open, stays."""
        troubled = self._health.of_partners()
        done = run_per_partner(
            [partner for partner in self._partners.all() if partner.status is not Lifecycle.PAUSED],
            lambda partner: self._release(partner, troubled.get(partner.partner_id), has_time),
            partner_of=lambda partner: partner.partner_id,
            chain_of=lambda partner: partner.partner_id,
        )
        for failure in done.failures:
            raise failure
        return ReleaseResult(
            number=sum(one.number for one in done.results),
            oldest_due=max((one.oldest_due for one in done.results), default=0.0),
        )

    def _release(self, partner: Partner, health: PartnerHealth | None, has_time: Callable[[], bool]) -> ReleaseResult:
        """Message first, then row: a crash in between costs a second message, not a loss."""
        released, rate = ReleaseResult(), rate_at(health, partner.rate, self._clock()) or RATE
        budget = _budget(rate, health, self._clock())
        due = islice(self._deliveries.due(partner.partner_id, self._clock()), budget)
        for rows in batched(due, AT_ONCE, strict=False):
            if not released.number and not _waits_for_itself(partner, health):
                released.oldest_due = times.seconds_between(rows[0].due_at or self._clock(), self._clock())
            if not has_time():
                break
            self._retries.send(self._spread(rows, released.number, rate), self._clock())
            for row in rows:
                self._deliveries.clear_due(row)
            released.number += len(rows)
        return released

    def _spread(self, rows: Sequence[Delivery], sent_before: int, rate: float) -> list[Delivery]:
        """The rows with times at which they keep the rate."""
        moment = self._clock()
        return [
            row.with_changes(next_attempt_at=times.plus(moment, seconds=(sent_before + number) / rate))
            for number, row in enumerate(rows)
        ]


def _waits_for_itself(partner: Partner, health: PartnerHealth | None) -> bool:
    """Whether the partner's own rate or its trouble makes its deliveries late."""
    return partner.rate is not None or (health is not None and health.breaker is not Breaker.CLOSED)


def _budget(rate: float, health: PartnerHealth | None, moment: str) -> int:
    """How many may be released until the next run: one, to probe, where the breaker was open."""
    if health is not None and health.breaker is Breaker.OPEN:
        return int((health.open_until or "") <= moment)
    return max(1, int(rate * EACH_SECONDS))
