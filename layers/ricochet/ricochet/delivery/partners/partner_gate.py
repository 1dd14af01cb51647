"""Which partners may be sent to now: their breaker and their rate, as all processes know them.

Health is written once per invocation, at its end, and only for partners that are or were failing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from ricochet.delivery.transitions import Delay
from ricochet.errors import ServerFailureError
from ricochet.http.attempt import Attempt
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

PROBE_SECONDS = 60
"""Longer than a probe can take: after that, the process that sent it has died, and another probe is sent."""

MAX_TRIES = 5

FAILING, PAUSED = "Partner Failing", "Partner Paused"
"""Kinds of events on the bus."""


class HealthContestedError(ServerFailureError):
    """Other processes kept changing a partner or its health; this invocation's attempts are not counted."""


@dataclass(frozen=True)
class HealthChange:
    """A change in a partner's health that operators should know of."""

    partner_id: str
    metric: Metric
    detail: dict[str, Any]

    @property
    def kind(self) -> str:
        """The message in the log."""
        return self.metric.name.lower()


@dataclass
class HealthChanges:
    """The health changes of one invocation, and the failures that kept others from being recorded."""

    changes: list[HealthChange] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def log_lines(self) -> Iterator[LogLine]:
        for change in self.changes:
            yield LogLine(change.kind, {"partner_id": change.partner_id} | change.detail, logging.WARNING)
        for failure in self.failures:
            yield LogLine("partner health not written", {}, logging.ERROR, failure)

    def measurements(self) -> Iterator[Measurement]:
        yield from (Measurement(change.metric) for change in self.changes)
        yield from (Measurement(Metric.PARTNER_HEALTH_FAILURES) for _ in self.failures)


@dataclass(frozen=True)
class PartnerGate:
    health: HealthTable
    partners: PartnersTable
    event_bus: EventBus
    schedule: RetrySchedule
    clock: Callable[[], Moment] = times.now
    sleep: Callable[[float], None] = time.sleep

    def open_session(self) -> GateSession:
        """Return the view of all partners for one invocation."""
        return GateSession(self, self.health.of_partners())

    def save(self, partner_id: str, tally: Tally) -> list[HealthChange]:
        """Record a partner's attempts, warn or pause if that is due, and return what changed."""
        sent: list[HealthChange] = []
        for attempt in range(MAX_TRIES):
            before = self.health.of_partner(partner_id)
            moment = self.clock()
            after = partner_health.after(before, partner_id, tally, self.schedule, moment)
            if after is None:
                return []
            warning = partner_health.warning_due(after, moment)
            if warning is not None and not sent:
                sent = self._warn_or_pause(after, warning, moment)
            if self.health.put(after.with_changes(last_warning=warning or after.last_warning), before):
                return [*_breaker_changes(before, after), *sent]
            self.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter
        raise HealthContestedError(f"the health of {partner_id} was changed by others {MAX_TRIES} times")

    def _warn_or_pause(self, health: PartnerHealth, percent: int, moment: Moment) -> list[HealthChange]:
        """Publish the event first: a crash before the pause or the write then repeats it and never loses it."""
        detail: dict[str, Any] = {"partnerId": health.partner_id, "percent": percent, "failures": health.failures}
        detail |= {"failingSince": health.failing_since, "answeredGone": health.gone_replies}
        if percent < partner_health.WARNING_PERCENTS[-1]:
            self.event_bus.publish(FAILING, detail)
            return [HealthChange(health.partner_id, Metric.PARTNER_FAILING, detail)]
        if self._active(health.partner_id) is None:
            return []
        detail["reason"] = reason = _reason(health)
        self.event_bus.publish(PAUSED, detail)
        self._pause(health.partner_id, reason, moment)
        return [HealthChange(health.partner_id, Metric.PARTNER_PAUSED, detail)]

    def _active(self, partner_id: str) -> Partner | None:
        partner = self.partners.get(partner_id)
        return partner if partner is not None and partner.status is Lifecycle.ACTIVE else None

    def _pause(self, partner_id: str, reason: str, moment: Moment) -> None:
        for _ in range(MAX_TRIES):
            partner = self._active(partner_id)
            if partner is None or self.partners.replace(partner.paused(reason, moment), partner.revision):
                return
        raise HealthContestedError(f"{partner_id} was changed by others {MAX_TRIES} times")


@dataclass
class GateSession:
    """One invocation's view of all partners; safe to share between its threads."""

    gate: PartnerGate
    health: dict[str, PartnerHealth]
    _tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally), init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def check(self, partner: Partner) -> Delay | None:
        """Return None if the partner may be sent to now, otherwise the delay."""
        with self._lock:
            tally = self._tallies[partner.partner_id]
            if tally.is_failing or tally.has_used_its_time:
                return Delay(Hold.BREAKER if tally.is_failing else Hold.SLOW, self.gate.schedule.first_delay)
            health = self.health.get(partner.partner_id)
            if health is not None and health.breaker is Breaker.OPEN:
                return self._probe(health)
        return self._within_rate(partner, health)

    def _probe(self, health: PartnerHealth) -> Delay | None:
        """Let one request of all processes pass when the breaker's time is over."""
        moment = self.gate.clock()
        if (health.open_until or "") > moment:
            return Delay(Hold.BREAKER, _seconds_until(health.open_until, moment))
        lease = times.plus(moment, seconds=PROBE_SECONDS)
        is_ours = self.gate.health.claim_probe(health, lease)
        self.health[health.partner_id] = health.with_changes(open_until=lease)
        if not is_ours:
            return Delay(Hold.BREAKER, PROBE_SECONDS)
        self._tallies[health.partner_id].probed = True
        return None

    def _within_rate(self, partner: Partner, health: PartnerHealth | None) -> Delay | None:
        rate = partner_health.rate_at(health, partner.rate, self.gate.clock())
        if rate is None or self.gate.health.claim_permit(partner.partner_id, rate, self.gate.clock()):
            return None
        is_recovering = health is not None and health.breaker is Breaker.RECOVERING
        return Delay(Hold.BREAKER if is_recovering else Hold.RATE, 0)

    def record(self, partner_id: str, attempt: Attempt) -> None:
        """Count an attempt."""
        with self._lock:
            self._tallies[partner_id].add(attempt)

    def flush(self) -> HealthChanges:
        """Save the health of each partner that is or was failing, and return what changed.

        An error here must not fail the deliveries, which are recorded by now: it is returned in `failures`, and the
        partner's next failed attempt tries to save again.
        """
        health_changes = HealthChanges()
        for partner_id, tally in self._tallies.items():
            if tally.failures or (tally.succeeded and partner_id in self.health):
                try:
                    health_changes.changes += self.gate.save(partner_id, tally)
                except (ServerFailureError, ClientError, BotoCoreError) as failure:
                    health_changes.failures.append(failure)
        return health_changes


def _reason(health: PartnerHealth) -> str:
    if health.gone_replies >= partner_health.GONE_IN_A_ROW:
        return f"it answered 410 Gone {health.gone_replies} times"
    return f"no success since {health.failing_since} in {health.failures} attempts"


def _breaker_changes(before: PartnerHealth | None, after: PartnerHealth) -> list[HealthChange]:
    was = before.breaker if before else Breaker.CLOSED
    if was is after.breaker:
        return []
    metrics = {
        Breaker.OPEN: Metric.BREAKER_OPENED,
        Breaker.RECOVERING: Metric.BREAKER_HALF_OPEN,
        Breaker.CLOSED: Metric.BREAKER_CLOSED,
    }
    detail = {"failures": after.failures, "openUntil": after.open_until}
    return [HealthChange(after.partner_id, metrics[after.breaker], detail)]


def _seconds_until(until: Moment | None, moment: Moment) -> float:
    return max(0.0, (times.parse(until or moment) - times.parse(moment)).total_seconds())
