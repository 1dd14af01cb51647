"""What a partner's answers say of its server: when to hold back, how to come back, and when to give up on it."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum

from ricochet.delivery.retry_schedule import MAX_QUEUE_DELAY, RetrySchedule, speaks_of_the_server
from ricochet.http.attempt import Attempt
from ricochet.values import times
from ricochet.values.entity import Entity, Shown

OPEN_AFTER = 5
"""Failures in a row, all of the server's own making, that open the breaker."""

TIMEOUTS_IN_A_ROW = 3
"""After these, what is left for the partner in this invocation goes to the queue unsent."""

MILLISECONDS_OF_AN_INVOCATION = 24_000
"""Of all threads together: a partner that answers, but takes its time, must not hold up the others either."""

GONE_IN_A_ROW = 2

PAUSE_AFTER_HOURS = 72

PAUSE_AFTER_ATTEMPTS = 20

NOTICES = (50, 70, 90, 100)
"""Per cent of the way to a pause at which operators are told; at the last one it happens."""

FIRST_RATE = 1.0

DOUBLED_EACH_SECONDS = 30

FULL_RATE = 64.0
"""Sends a second after which a partner that recovers counts as recovered."""

KEPT_DAYS = 30


@dataclass
class Tally:
    """What one invocation has seen of one partner."""

    succeeded: bool = False
    first_failure_at: str | None = None  # after the last success, as all that follows
    failures: int = 0
    unwell: int = 0
    gone: int = 0
    timeouts: int = 0
    milliseconds: int = 0  # of all attempts
    probed: bool = False

    def add(self, attempt: Attempt) -> None:
        if attempt.not_sent:
            return
        self.milliseconds += attempt.ms
        if attempt.is_success:
            self.succeeded, self.first_failure_at = True, None
            self.failures = self.unwell = self.gone = self.timeouts = 0
            return
        self.first_failure_at = self.first_failure_at or attempt.at
        self.failures += 1
        self.unwell = self.unwell + 1 if speaks_of_the_server(attempt.status_code) else 0
        self.gone = self.gone + 1 if attempt.status_code == 410 else 0
        self.timeouts = self.timeouts + 1 if attempt.timed_out else 0

    @property
    def is_slow(self) -> bool:
        return self.milliseconds >= MILLISECONDS_OF_AN_INVOCATION

    @property
    def is_enough(self) -> bool:
        """Whether it is no use to send more in this invocation."""
        return self.timeouts >= TIMEOUTS_IN_A_ROW or self.unwell >= OPEN_AFTER or self.gone >= GONE_IN_A_ROW


def after(
    before: PartnerHealth | None, partner_id: str, tally: Tally, schedule: RetrySchedule, moment: str
) -> PartnerHealth | None:
    """The partner's health with `tally` counted in; None if there is nothing to be written."""
    if tally.succeeded and tally.failures == 0 and before is None:
        return None
    health = before or PartnerHealth(kind=PARTNER, subject=partner_id, updated_at=moment, ttl=0)
    if tally.succeeded:
        health = _well_again(health, moment)
    if tally.failures:
        health = _failing(health, tally, schedule, moment)
    if before is not None and health == before:
        return None
    ttl = times.epoch_seconds(moment) + KEPT_DAYS * 86_400
    return health.with_changes(updated_at=moment, revision=health.revision + 1, ttl=ttl)


def resumed(health: PartnerHealth, moment: str) -> PartnerHealth:
    """As an operator leaves it who makes a paused partner active: nothing is held against it, but it starts slowly."""
    return _well_again(health.with_changes(breaker=Breaker.OPEN), moment).with_changes(
        updated_at=moment, revision=health.revision + 1
    )


def _well_again(health: PartnerHealth, moment: str) -> PartnerHealth:
    health = health.with_changes(failing_since=None, failures=0, unwell=0, gone=0, noticed=0)
    if health.breaker is Breaker.OPEN:
        return health.with_changes(breaker=Breaker.RECOVERING, open_until=None, recovered_at=moment)
    if health.breaker is Breaker.RECOVERING and _ramp(health, moment) >= FULL_RATE:
        return health.with_changes(breaker=Breaker.CLOSED, openings=0, recovered_at=None)
    return health


def _failing(health: PartnerHealth, tally: Tally, schedule: RetrySchedule, moment: str) -> PartnerHealth:
    all_unwell, all_gone = tally.unwell == tally.failures, tally.gone == tally.failures
    health = health.with_changes(
        failing_since=health.failing_since or tally.first_failure_at,
        failures=health.failures + tally.failures,
        unwell=health.unwell + tally.unwell if all_unwell else tally.unwell,
        gone=health.gone + tally.gone if all_gone else tally.gone,
    )
    opens = {
        Breaker.CLOSED: health.unwell >= OPEN_AFTER,
        Breaker.RECOVERING: tally.unwell > 0,
        Breaker.OPEN: tally.probed,  # else it is an attempt that was under way when the breaker opened
    }
    return _opened(health, schedule, moment) if opens[health.breaker] else health


def _opened(health: PartnerHealth, schedule: RetrySchedule, moment: str) -> PartnerHealth:
    """Probes come as late as retries of a delivery would, and never more than a quarter of an hour apart."""
    openings = health.openings + 1
    delays = schedule.delays or (MAX_QUEUE_DELAY,)
    seconds = min(delays[min(openings, len(delays)) - 1], MAX_QUEUE_DELAY) * random.uniform(1.0, 1.1)  # noqa: S311
    until = times.plus(moment, seconds=seconds)
    return health.with_changes(breaker=Breaker.OPEN, openings=openings, open_until=until, recovered_at=None)


def rate_at(health: PartnerHealth | None, max_per_second: float | None, moment: str) -> float | None:
    """Sends a second that the partner may get at `moment`; None if there is no limit."""
    if health is None or health.breaker is not Breaker.RECOVERING:
        return max_per_second
    ramp = _ramp(health, moment)
    return ramp if max_per_second is None else min(ramp, max_per_second)


def _ramp(health: PartnerHealth, moment: str) -> float:
    if health.recovered_at is None:
        return FULL_RATE
    seconds = max(0.0, (times.parse(moment) - times.parse(health.recovered_at)).total_seconds())
    doublings: float = min(seconds / DOUBLED_EACH_SECONDS, 32)
    return min(FULL_RATE, FIRST_RATE * math.pow(2, doublings))


def way_to_pause(health: PartnerHealth, moment: str) -> int:
    """Per cent of the way from the first failure to a pause: hours and attempts both have to get there."""
    if health.gone >= GONE_IN_A_ROW:
        return 100
    if health.failing_since is None:
        return 0
    hours = (times.parse(moment) - times.parse(health.failing_since)).total_seconds() / 3600
    return int(100 * max(0.0, min(1.0, hours / PAUSE_AFTER_HOURS, health.failures / PAUSE_AFTER_ATTEMPTS)))


def notice_due(health: PartnerHealth, moment: str) -> int | None:
    """The furthest notice that was reached and not given yet."""
    way = way_to_pause(health, moment)
    reached = [notice for notice in NOTICES if health.noticed < notice <= way]
    return reached[-1] if reached else None


PARTNER = "partner"


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"  # nothing is sent until `open_until`, and then one probe
    RECOVERING = "recovering"  # the probe was taken; sends may come at a rate that rises


class PartnerHealth(Entity):
    kind: str  # always PARTNER
    subject: str  # the partner's id
    failing_since: Shown[str | None] = None  # the first failure after the last success
    failures: Shown[int] = 0  # since then
    unwell: int = 0  # those of them that speak of the server, not of the postback
    gone: int = 0  # how often in a row it said 410
    noticed: int = 0  # the last notice given, in per cent of the way to a pause
    breaker: Shown[Breaker] = Breaker.CLOSED
    openings: int = 0  # since it last recovered
    open_until: Shown[str | None] = None
    recovered_at: Shown[str | None] = None
    revision: int = 0
    updated_at: str
    ttl: int

    @property
    def partner_id(self) -> str:
        return self.subject
