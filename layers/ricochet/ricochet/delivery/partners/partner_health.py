"""A partner's health: when its breaker opens, how it recovers, and when a failing partner is paused."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum

from ricochet.delivery.retry_schedule import MAX_QUEUE_DELAY, RetrySchedule, is_server_failure
from ricochet.http.attempt import Attempt
from ricochet.values import times
from ricochet.values.entity import Entity, Shown
from ricochet.values.times import Moment

OPEN_AFTER = 5
"""Server failures in a row that open the breaker."""

TIMEOUTS_IN_A_ROW = 3
"""After these, the partner's other deliveries in this invocation are held back."""

MILLISECONDS_PER_INVOCATION = 24_000
"""The time one partner's attempts may take, all threads together: a slow partner must not hold up the others."""

GONE_IN_A_ROW = 2

PAUSE_AFTER_HOURS = 72

PAUSE_AFTER_ATTEMPTS = 20

WARNING_PERCENTS = (50, 70, 90, 100)
"""Operators are warned at these percentages of the way to a pause; at the last one the partner is paused."""

FIRST_RATE = 1.0
"""Requests per second right after recovery begins."""

DOUBLES_EVERY_SECONDS = 30

FULL_RATE = 64.0
"""Requests per second at which a recovering partner counts as recovered."""

HEALTH_KEPT_DAYS = 30


PARTNER = "partner"


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"  # nothing is sent until `open_until`; then one probe is
    RECOVERING = "recovering"  # the probe was accepted; the rate rises step by step


class PartnerHealth(Entity):
    kind: str  # always PARTNER
    subject: str  # the partner's id
    failing_since: Shown[Moment | None] = None  # the first failure after the last success
    failures: Shown[int] = 0  # since then
    server_failures: int = 0  # in a row
    gone_replies: int = 0  # 410, in a row
    last_warning: int = 0  # the last warning that was sent, a percentage
    breaker: Shown[Breaker] = Breaker.CLOSED
    times_opened: int = 0  # since it last recovered
    open_until: Shown[Moment | None] = None
    recovered_at: Shown[Moment | None] = None
    revision: int = 0
    updated_at: Moment
    ttl: int

    @property
    def partner_id(self) -> str:
        return self.subject


@dataclass
class Tally:
    """One partner's attempts in one invocation; failures count since its last success."""

    succeeded: bool = False
    first_failure_at: Moment | None = None
    failures: int = 0
    server_failures: int = 0  # in a row
    gone_replies: int = 0  # 410, in a row
    timeouts: int = 0  # in a row
    milliseconds: int = 0
    probed: bool = False

    def add(self, attempt: Attempt) -> None:
        if attempt.not_sent:
            return
        self.milliseconds += attempt.ms
        if attempt.is_success:
            self.succeeded, self.first_failure_at = True, None
            self.failures = self.server_failures = self.gone_replies = self.timeouts = 0
            return
        self.first_failure_at = self.first_failure_at or attempt.at
        self.failures += 1
        self.server_failures = self.server_failures + 1 if is_server_failure(attempt.status_code) else 0
        self.gone_replies = self.gone_replies + 1 if attempt.status_code == 410 else 0
        self.timeouts = self.timeouts + 1 if attempt.timed_out else 0

    @property
    def has_used_its_time(self) -> bool:
        return self.milliseconds >= MILLISECONDS_PER_INVOCATION

    @property
    def is_failing(self) -> bool:
        """Whether more requests in this invocation would most likely fail too."""
        return (
            self.timeouts >= TIMEOUTS_IN_A_ROW
            or self.server_failures >= OPEN_AFTER
            or self.gone_replies >= GONE_IN_A_ROW
        )


def after(
    before: PartnerHealth | None, partner_id: str, tally: Tally, schedule: RetrySchedule, moment: Moment
) -> PartnerHealth | None:
    """Return the partner's health with `tally` added, or None if nothing has to be written."""
    if tally.succeeded and tally.failures == 0 and before is None:
        return None
    health = before or PartnerHealth(kind=PARTNER, subject=partner_id, updated_at=moment, ttl=0)
    if tally.succeeded:
        health = _recovered(health, moment)
    if tally.failures:
        health = _failed(health, tally, schedule, moment)
    if before is not None and health == before:
        return None
    ttl = times.epoch_seconds(moment) + HEALTH_KEPT_DAYS * 86_400
    return health.with_changes(updated_at=moment, revision=health.revision + 1, ttl=ttl)


def resumed(health: PartnerHealth, moment: Moment) -> PartnerHealth:
    """Return the health after an operator reactivates the partner: its failures are forgotten, its rate starts low."""
    return _recovered(health.with_changes(breaker=Breaker.OPEN), moment).with_changes(
        updated_at=moment, revision=health.revision + 1
    )


def _recovered(health: PartnerHealth, moment: Moment) -> PartnerHealth:
    health = health.with_changes(failing_since=None, failures=0, server_failures=0, gone_replies=0, last_warning=0)
    if health.breaker is Breaker.OPEN:
        return health.with_changes(breaker=Breaker.RECOVERING, open_until=None, recovered_at=moment)
    if health.breaker is Breaker.RECOVERING and _ramp(health, moment) >= FULL_RATE:
        return health.with_changes(breaker=Breaker.CLOSED, times_opened=0, recovered_at=None)
    return health


def _failed(health: PartnerHealth, tally: Tally, schedule: RetrySchedule, moment: Moment) -> PartnerHealth:
    server_failed_before = health.server_failures if tally.server_failures == tally.failures else 0
    gone_before = health.gone_replies if tally.gone_replies == tally.failures else 0
    health = health.with_changes(
        failing_since=health.failing_since or tally.first_failure_at,
        failures=health.failures + tally.failures,
        server_failures=server_failed_before + tally.server_failures,
        gone_replies=gone_before + tally.gone_replies,
    )
    opens = {
        Breaker.CLOSED: health.server_failures >= OPEN_AFTER,
        Breaker.RECOVERING: tally.server_failures > 0,
        Breaker.OPEN: tally.probed,  # other attempts were under way when the breaker opened
    }
    return _opened(health, schedule, moment) if opens[health.breaker] else health


def _opened(health: PartnerHealth, schedule: RetrySchedule, moment: Moment) -> PartnerHealth:
    """Return the health with an open breaker; probes follow the retry schedule, at most 15 minutes apart."""
    times_opened = health.times_opened + 1
    delays = schedule.delays or (MAX_QUEUE_DELAY,)
    seconds = min(delays[min(times_opened, len(delays)) - 1], MAX_QUEUE_DELAY) * random.uniform(1.0, 1.1)  # noqa: S311
    until = times.plus(moment, seconds=seconds)
    return health.with_changes(breaker=Breaker.OPEN, times_opened=times_opened, open_until=until, recovered_at=None)


def rate_at(health: PartnerHealth | None, max_per_second: float | None, moment: Moment) -> float | None:
    """Return how many requests per second the partner may get at `moment`; None if there is no limit."""
    if health is None or health.breaker is not Breaker.RECOVERING:
        return max_per_second
    ramp = _ramp(health, moment)
    return ramp if max_per_second is None else min(ramp, max_per_second)


def _ramp(health: PartnerHealth, moment: Moment) -> float:
    if health.recovered_at is None:
        return FULL_RATE
    seconds = max(0.0, (times.parse(moment) - times.parse(health.recovered_at)).total_seconds())
    doublings: float = min(seconds / DOUBLES_EVERY_SECONDS, 32)
    return min(FULL_RATE, FIRST_RATE * math.pow(2, doublings))


def percent_to_pause(health: PartnerHealth, moment: Moment) -> int:
    """Return how far the partner is on the way to a pause: both its hours and its attempts must reach the limit."""
    if health.gone_replies >= GONE_IN_A_ROW:
        return 100
    if health.failing_since is None:
        return 0
    hours = (times.parse(moment) - times.parse(health.failing_since)).total_seconds() / 3600
    return int(100 * max(0.0, min(1.0, hours / PAUSE_AFTER_HOURS, health.failures / PAUSE_AFTER_ATTEMPTS)))


def warning_due(health: PartnerHealth, moment: Moment) -> int | None:
    """Return the highest warning percentage that was reached and not sent yet."""
    percent = percent_to_pause(health, moment)
    reached = [warning for warning in WARNING_PERCENTS if health.last_warning < warning <= percent]
    return reached[-1] if reached else None
