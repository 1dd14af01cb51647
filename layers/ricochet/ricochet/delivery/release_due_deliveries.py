"""Deliveries in the due index move to the retry queue when their time has come, at their partner's rate."""

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
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.delivery.settings import ReleaseSettings

RUN_EVERY_SECONDS = 60
"""What one run releases is spread over the time until the next run."""

DEFAULT_RATE = 50.0
"""Deliveries per second to a partner without a rate of its own, so that a backlog does not arrive as one wave."""

BATCH_SIZE = 100


@dataclass
class ReleaseResult:
    """How many deliveries were released; `oldest_due` is how many seconds late the oldest one was."""

    number: int = 0
    oldest_due: float = 0.0

    def log_lines(self) -> Iterable[LogLine]:
        return ()

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.DELIVERIES_RELEASED, self.number)
        yield Measurement(Metric.OLDEST_DUE, self.oldest_due)


@dataclass(frozen=True)
class ReleaseDueDeliveries:
    partners: PartnersTable
    deliveries: DeliveriesTable
    health: HealthTable
    retries: DeliveryQueue
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, dynamodb: DynamoDBClient, sqs: SQSClient, settings: ReleaseSettings) -> Self:
        return cls(
            PartnersTable(dynamodb, settings.partners_table),
            DeliveriesTable(dynamodb, settings.deliveries_table),
            HealthTable(dynamodb, settings.health_table),
            DeliveryQueue(sqs, settings.retry_queue_url),
        )

    def __call__(self, has_time: Callable[[], bool]) -> ReleaseResult:
        """Release what is due; deliveries to a paused partner, or to one with an open breaker, stay."""
        health = self.health.of_partners()
        done = run_per_partner(
            [partner for partner in self.partners.all() if partner.status is not Lifecycle.PAUSED],
            lambda partner: self._release(partner, health.get(partner.partner_id), has_time),
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
        """Send each message before its row changes: a crash in between repeats a message and never loses one."""
        released, rate = ReleaseResult(), rate_at(health, partner.rate, self.clock()) or DEFAULT_RATE
        budget = _budget(rate, health, self.clock())
        due = islice(self.deliveries.due(partner.partner_id, self.clock()), budget)
        for rows in batched(due, BATCH_SIZE, strict=False):
            if not released.number and not _is_slowed_down(partner, health):
                released.oldest_due = times.seconds_between(rows[0].due_at or self.clock(), self.clock())
            if not has_time():
                break
            self.retries.send(self._spread(rows, released.number, rate), self.clock())
            for row in rows:
                self.deliveries.clear_due(row)
            released.number += len(rows)
        return released

    def _spread(self, rows: Sequence[Delivery], sent_before: int, rate: float) -> list[Delivery]:
        """Return the rows with times that keep the rate."""
        moment = self.clock()
        return [
            row.with_changes(next_attempt_at=times.plus(moment, seconds=(sent_before + number) / rate))
            for number, row in enumerate(rows)
        ]


def _is_slowed_down(partner: Partner, health: PartnerHealth | None) -> bool:
    """Return whether the partner's own rate or its breaker makes its deliveries late."""
    return partner.rate is not None or (health is not None and health.breaker is not Breaker.CLOSED)


def _budget(rate: float, health: PartnerHealth | None, moment: Moment) -> int:
    """Return how many may be released until the next run: a single probe if the breaker was open."""
    if health is not None and health.breaker is Breaker.OPEN:
        return int((health.open_until or "") <= moment)
    return max(1, int(rate * RUN_EVERY_SECONDS))
