"""Who may be sent to now: the breaker, the rate and the patience with each partner, shared by all processes.

A partner in good health costs no write: what an invocation has seen of the others is told once, at its end.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ricochet.delivery.delivery import Hold
from ricochet.delivery.event_bus import EventBus
from ricochet.delivery.partners import partner_health
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import Breaker, PartnerHealth, Tally
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Wait
from ricochet.errors import ServerFailureError
from ricochet.http.attempt import Attempt
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle

PROBE_SECONDS = 60
"""Longer than a probe can take: after that whoever began it is dead, and another is sent."""

TRIES = 5

FAILING, PAUSED = "Partner Failing", "Partner Paused"
"""Kinds of events on the bus."""


class HealthContestedError(ServerFailureError):
    """Others kept changing a partner's health; what was seen of it here is not counted."""


class HealthChangeKind(StrEnum):
    """The message in the log."""

    BREAKER_OPENED = "breaker_opened"
    BREAKER_HALF_OPEN = "breaker_half_open"
    BREAKER_CLOSED = "breaker_closed"
    PARTNER_FAILING = "partner_failing"
    PARTNER_PAUSED = "partner_paused"

    @property
    def metric(self) -> Metric:
        return _METRICS[self]


_METRICS = {
    HealthChangeKind.BREAKER_OPENED: Metric.BREAKER_OPENED,
    HealthChangeKind.BREAKER_HALF_OPEN: Metric.BREAKER_HALF_OPEN,
    HealthChangeKind.BREAKER_CLOSED: Metric.BREAKER_CLOSED,
    HealthChangeKind.PARTNER_FAILING: Metric.PARTNER_FAILING,
    HealthChangeKind.PARTNER_PAUSED: Metric.PARTNER_PAUSED,
}


@dataclass(frozen=True)
class HealthChange:
    """A change in a partner's health that operators should know of."""

    partner_id: str
    kind: HealthChangeKind
    detail: dict[str, Any]


@dataclass
class HealthChanges:
    """What one invocation's sends changed in the health of partners, and what kept that from being written down."""

    changes: list[HealthChange] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def log_lines(self) -> Iterator[LogLine]:
        for change in self.changes:
            yield LogLine(change.kind, {"partner_id": change.partner_id} | change.detail, logging.WARNING)
        for failure in self.failures:
            yield LogLine("partner health not written", {}, logging.ERROR, failure)

    def measurements(self) -> Iterator[Measurement]:
        yield from (Measurement(change.kind.metric) for change in self.changes)
        yield from (Measurement(Metric.PARTNER_HEALTH_FAILURES) for _ in self.failures)


class PartnerGate:
    def __init__(
        self,
        health: HealthTable,
        partners: PartnersTable,
        event_bus: EventBus,
        schedule: RetrySchedule,
        clock: Callable[[], str] = times.now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table = health
        self._partners = partners
        self._event_bus = event_bus
        self._schedule = schedule
        self._clock = clock
        self._sleep = sleep

    def opened(self) -> GateSession:
        """For the length of one invocation."""
        return GateSession(self._table, self._schedule, self._clock, self._table.of_partners(), self)

    def save(self, partner_id: str, tally: Tally) -> list[HealthChange]:
        """Writes down what was seen of a partner, and acts on it; what changed thereby."""
        given: list[HealthChange] = []
        for attempt in range(TRIES):
            before = self._table.of_partner(partner_id)
            moment = self._clock()
            after = partner_health.after(before, partner_id, tally, self._schedule, moment)
            if after is None:
                return []
            notice = partner_health.notice_due(after, moment)
            if notice is not None and not given:
                given = self._give_notice(after, notice, moment)
            if self._table.put(after.with_changes(noticed=notice or after.noticed), before):
                return [*_breaker_changes(before, after), *given]
            self._sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter
        raise HealthContestedError(f"the health of {partner_id} was changed by others {TRIES} times")

    def _give_notice(self, health: PartnerHealth, notice: int, moment: str) -> list[HealthChange]:
        """Told before it is acted on and written down: a crash in between tells it twice, and never not at all."""
        detail: dict[str, Any] = {"partnerId": health.partner_id, "percent": notice, "failures": health.failures}
        detail |= {"failingSince": health.failing_since, "answeredGone": health.gone}
        if notice < partner_health.NOTICES[-1]:
            self._event_bus.publish(FAILING, detail)
            return [HealthChange(health.partner_id, HealthChangeKind.PARTNER_FAILING, detail)]
        if self._active(health.partner_id) is None:
            return []
        detail["reason"] = reason = _reason(health)
        self._event_bus.publish(PAUSED, detail)
        self._pause(health.partner_id, reason, moment)
        return [HealthChange(health.partner_id, HealthChangeKind.PARTNER_PAUSED, detail)]

    def _active(self, partner_id: str) -> Partner | None:
        partner = self._partners.get(partner_id)
        return partner if partner is not None and partner.status is Lifecycle.ACTIVE else None

    def _pause(self, partner_id: str, reason: str, moment: str) -> None:
        for _ in range(TRIES):
            partner = self._active(partner_id)
            if partner is None or self._partners.replace(partner.paused(reason, moment), partner.revision):
                return
        raise HealthContestedError(f"{partner_id} was changed by others {TRIES} times")


class GateSession:
    """One invocation's view of all partners; safe to share between its threads."""

    def __init__(
        self,
        table: HealthTable,
        schedule: RetrySchedule,
        clock: Callable[[], str],
        health: dict[str, PartnerHealth],
        gate: PartnerGate,
    ) -> None:
        self._table = table
        self._schedule = schedule
        self._clock = clock
        self._health = health
        self._gate = gate
        self._tallies: dict[str, Tally] = defaultdict(Tally)
        self._lock = threading.Lock()

    def check(self, partner: Partner) -> Wait | None:
        """None if `partner` may be sent to now; else why not, and how long to wait."""
        with self._lock:
            tally = self._tallies[partner.partner_id]
            if tally.is_enough or tally.is_slow:
                return Wait(Hold.BREAKER if tally.is_enough else Hold.SLOW, self._schedule.first_delay)
            health = self._health.get(partner.partner_id)
            if health is not None and health.breaker is Breaker.OPEN:
                return self._probe(health)
        return self._within_rate(partner, health)

    def _probe(self, health: PartnerHealth) -> Wait | None:
        moment = self._clock()
        if (health.open_until or "") > moment:
            return Wait(Hold.BREAKER, _seconds_until(health.open_until, moment))
        lease = times.plus(moment, seconds=PROBE_SECONDS)
        won = self._table.claim_probe(health, lease)
        self._health[health.partner_id] = health.with_changes(open_until=lease)
        if not won:
            return Wait(Hold.BREAKER, PROBE_SECONDS)
        self._tallies[health.partner_id].probed = True
        return None

    def _within_rate(self, partner: Partner, health: PartnerHealth | None) -> Wait | None:
        rate = partner_health.rate_at(health, partner.rate, self._clock())
        if rate is None or self._table.claim_permit(partner.partner_id, rate, self._clock()):
            return None
        recovers = health is not None and health.breaker is Breaker.RECOVERING
        return Wait(Hold.BREAKER if recovers else Hold.RATE, 0)

    def record(self, partner_id: str, attempt: Attempt) -> None:
        """Counts what came of an attempt."""
        with self._lock:
            self._tallies[partner_id].add(attempt)

    def flush(self) -> HealthChanges:
        """Tells what was seen, once for each partner that is or was in trouble.

        What fails here must not fail the deliveries, which are recorded by now: it is told as `failures`, and the
        partner's next failure does the same again.
        """
        health_changes = HealthChanges()
        for partner_id, tally in self._tallies.items():
            if tally.failures or (tally.succeeded and partner_id in self._health):
                try:
                    health_changes.changes += self._gate.save(partner_id, tally)
                except (ServerFailureError, ClientError, BotoCoreError) as failure:
                    health_changes.failures.append(failure)
        return health_changes


def _reason(health: PartnerHealth) -> str:
    if health.gone >= partner_health.GONE_IN_A_ROW:
        return f"it answered 410 Gone {health.gone} times"
    return f"no success since {health.failing_since} in {health.failures} attempts"


def _breaker_changes(before: PartnerHealth | None, after: PartnerHealth) -> list[HealthChange]:
    was = before.breaker if before else Breaker.CLOSED
    if was is after.breaker:
        return []
    kinds = {
        Breaker.OPEN: HealthChangeKind.BREAKER_OPENED,
        Breaker.RECOVERING: HealthChangeKind.BREAKER_HALF_OPEN,
        Breaker.CLOSED: HealthChangeKind.BREAKER_CLOSED,
    }
    detail = {"failures": after.failures, "openUntil": after.open_until}
    return [HealthChange(after.partner_id, kinds[after.breaker], detail)]


def _seconds_until(until: str | None, moment: str) -> float:
    return max(0.0, (times.parse(until or moment) - times.parse(moment)).total_seconds())
