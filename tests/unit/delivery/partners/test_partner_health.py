"""When a partner is held back, how it recovers, and when it is paused."""

import pytest

from ricochet.delivery.partners.partner_health import (
    FULL_RATE,
    GONE_IN_A_ROW,
    OPEN_AFTER,
    PARTNER,
    TIMEOUTS_IN_A_ROW,
    Breaker,
    PartnerHealth,
    Tally,
    after,
    percent_to_pause,
    rate_at,
    resumed,
    warning_due,
)
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.values import times
from tests.unit.builders import IN_AN_HOUR, NOON, an_attempt

SCHEDULE = RetrySchedule((10, 60, 300, 900, 3600))


def tally(*status_codes, **fields) -> Tally:
    seen = Tally(**fields)
    for code in status_codes:
        seen.add(an_attempt(code, timed_out=True if code is None else None))
    return seen


def a_health(**changes) -> PartnerHealth:
    fields = {"kind": PARTNER, "subject": "part_1", "updated_at": NOON, "ttl": 0, "revision": 3}
    return PartnerHealth(**fields | changes)


def then(before, seen, moment=IN_AN_HOUR):
    return after(before, "part_1", seen, SCHEDULE, moment)


def test_healthy_partner_has_no_row():
    assert then(None, tally(200, 204)) is None


def test_failures_count_until_a_success():
    failing = then(None, tally(200, 500, 404))
    assert (failing.failures, failing.failing_since, failing.breaker) == (2, IN_AN_HOUR, Breaker.CLOSED)
    assert then(failing, tally(500)).failures == 3
    assert then(failing, tally(500)).failing_since == IN_AN_HOUR
    recovered = then(failing, tally(500, 200))
    assert (recovered.failures, recovered.failing_since) == (0, None)
    assert then(recovered, tally(200)) is None


def test_breaker_opens_after_failures_in_a_row_over_several_invocations():
    health = None
    for number in range(1, OPEN_AFTER + 1):
        health = then(health, tally(503))
        assert (health.breaker is Breaker.OPEN) == (number == OPEN_AFTER)
    assert times.plus(IN_AN_HOUR, seconds=10) <= health.open_until <= times.plus(IN_AN_HOUR, seconds=11)


def test_refusals_do_not_open_the_breaker():
    assert then(None, tally(*[404] * 50)).breaker is Breaker.CLOSED
    assert then(None, tally(503, 503, 503, 503, 404, 503)).breaker is Breaker.CLOSED


def test_failed_probe_waits_longer_each_time_up_to_fifteen_minutes():
    health, waits = a_health(breaker=Breaker.OPEN, times_opened=1, open_until=NOON), []
    for _ in range(5):
        health = then(health, tally(500, probed=True))
        waits.append((times.parse(health.open_until) - times.parse(IN_AN_HOUR)).total_seconds())
    assert [round(wait / 1.05, -1) for wait in waits] == pytest.approx([60, 300, 900, 900, 900], rel=0.11)


def test_attempt_under_way_when_the_breaker_opened_does_not_extend_it():
    health = a_health(breaker=Breaker.OPEN, times_opened=1, open_until=IN_AN_HOUR)
    assert then(health, tally(500)).open_until == IN_AN_HOUR


def test_rate_rises_after_an_accepted_probe():
    health = then(a_health(breaker=Breaker.OPEN, times_opened=2, open_until=NOON, failures=7), tally(200, probed=True))
    assert (health.breaker, health.failures) == (Breaker.RECOVERING, 0)
    rates = [rate_at(health, None, times.plus(IN_AN_HOUR, seconds=seconds)) for seconds in (0, 30, 60, 180, 999)]
    assert rates == [1, 2, 4, FULL_RATE, FULL_RATE]
    assert rate_at(health, 1.5, times.plus(IN_AN_HOUR, seconds=300)) == 1.5


def test_failure_during_recovery_opens_the_breaker_for_longer():
    recovering = a_health(breaker=Breaker.RECOVERING, times_opened=2, recovered_at=IN_AN_HOUR)
    health = then(recovering, tally(200, 503))
    assert (health.breaker, health.times_opened) == (Breaker.OPEN, 3)
    assert then(recovering, tally(200, 404)).breaker is Breaker.RECOVERING


def test_recovered_partner_has_no_limit():
    health = then(a_health(breaker=Breaker.RECOVERING, times_opened=2, recovered_at=NOON), tally(200))
    assert (health.breaker, health.times_opened, rate_at(health, None, IN_AN_HOUR)) == (Breaker.CLOSED, 0, None)


@pytest.mark.parametrize(("codes", "is_failing"), [((500,) * 4, False), ((500,) * 5, True), ((None,) * 3, True)])
def test_invocation_stops_sending_to_a_failing_partner(codes, is_failing):
    assert tally(*codes).is_failing is is_failing
    assert tally(*codes, 200).is_failing is False
    assert (TIMEOUTS_IN_A_ROW, OPEN_AFTER, GONE_IN_A_ROW) == (3, 5, 2)


@pytest.mark.parametrize(
    ("hours", "failures", "percent"),
    [(0, 1, 0), (72, 10, 50), (36, 100, 50), (71.9, 100, 99), (72, 20, 100), (720, 5, 25), (720, 500, 100)],
)
def test_pause_requires_both_hours_and_attempts(hours, failures, percent):
    health = a_health(failing_since=NOON, failures=failures)
    assert percent_to_pause(health, times.plus(NOON, hours=hours)) == percent


def test_each_warning_is_sent_once_and_only_the_highest():
    health, sent = a_health(failing_since=NOON, failures=100), []
    for hour in range(0, 80, 4):
        warning = warning_due(health, times.plus(NOON, hours=hour))
        if warning:
            sent.append(warning)
            health = health.with_changes(last_warning=warning)
    assert sent == [50, 70, 90, 100]
    assert warning_due(a_health(failing_since=NOON, failures=100), times.plus(NOON, hours=80)) == 100


def test_success_resets_the_way_to_a_pause():
    health = then(a_health(failing_since=NOON, failures=100, last_warning=90), tally(200))
    assert (percent_to_pause(health, IN_AN_HOUR), health.last_warning) == (0, 0)


def test_two_gone_replies_in_a_row_are_due_for_a_pause():
    once = then(None, tally(410))
    assert warning_due(once, IN_AN_HOUR) is None
    assert warning_due(then(once, tally(410)), IN_AN_HOUR) == 100
    assert warning_due(then(once, tally(500, 410)), IN_AN_HOUR) is None


def test_resumed_partner_is_forgiven_and_starts_slowly():
    health = resumed(a_health(failing_since=NOON, failures=100, last_warning=100, gone_replies=2), IN_AN_HOUR)
    assert (health.failures, health.last_warning, health.gone_replies, health.revision) == (0, 0, 0, 4)
    assert rate_at(health, None, IN_AN_HOUR) == 1
