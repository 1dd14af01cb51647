"""When a partner is held back, how it comes back, and when we give up on it."""

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


def test_a_healthy_partner_leaves_no_trace():
    assert then(None, tally(200, 204)) is None


def test_a_failure_is_remembered_until_a_success():
    failing = then(None, tally(200, 500, 404))
    assert (failing.failures, failing.failing_since, failing.breaker) == (2, IN_AN_HOUR, Breaker.CLOSED)
    assert then(failing, tally(500)).failures == 3
    assert then(failing, tally(500)).failing_since == IN_AN_HOUR
    well = then(failing, tally(500, 200))
    assert (well.failures, well.failing_since) == (0, None)
    assert then(well, tally(200)) is None


def test_the_breaker_opens_after_failures_in_a_row_over_several_invocations():
    health = None
    for number in range(1, OPEN_AFTER + 1):
        health = then(health, tally(503))
        assert (health.breaker is Breaker.OPEN) == (number == OPEN_AFTER)
    assert times.plus(IN_AN_HOUR, seconds=10) <= health.open_until <= times.plus(IN_AN_HOUR, seconds=11)


def test_what_speaks_of_the_postback_and_not_of_the_server_opens_no_breaker():
    assert then(None, tally(*[404] * 50)).breaker is Breaker.CLOSED
    assert then(None, tally(503, 503, 503, 503, 404, 503)).breaker is Breaker.CLOSED


def test_a_failed_probe_waits_longer_each_time_and_never_over_a_quarter_of_an_hour():
    health, waits = a_health(breaker=Breaker.OPEN, times_opened=1, open_until=NOON), []
    for _ in range(5):
        health = then(health, tally(500, probed=True))
        waits.append((times.parse(health.open_until) - times.parse(IN_AN_HOUR)).total_seconds())
    assert [round(wait / 1.05, -1) for wait in waits] == pytest.approx([60, 300, 900, 900, 900], rel=0.11)


def test_an_attempt_that_was_under_way_when_the_breaker_opened_does_not_prolong_it():
    health = a_health(breaker=Breaker.OPEN, times_opened=1, open_until=IN_AN_HOUR)
    assert then(health, tally(500)).open_until == IN_AN_HOUR


def test_a_probe_that_is_taken_lets_sends_come_at_a_rate_that_rises():
    health = then(a_health(breaker=Breaker.OPEN, times_opened=2, open_until=NOON, failures=7), tally(200, probed=True))
    assert (health.breaker, health.failures) == (Breaker.RECOVERING, 0)
    rates = [rate_at(health, None, times.plus(IN_AN_HOUR, seconds=seconds)) for seconds in (0, 30, 60, 180, 999)]
    assert rates == [1, 2, 4, FULL_RATE, FULL_RATE]
    assert rate_at(health, 1.5, times.plus(IN_AN_HOUR, seconds=300)) == 1.5


def test_a_partner_that_fails_while_it_recovers_is_held_back_again_and_longer():
    recovering = a_health(breaker=Breaker.RECOVERING, times_opened=2, recovered_at=IN_AN_HOUR)
    health = then(recovering, tally(200, 503))
    assert (health.breaker, health.times_opened) == (Breaker.OPEN, 3)
    assert then(recovering, tally(200, 404)).breaker is Breaker.RECOVERING


def test_after_the_ramp_a_partner_is_well_and_has_no_limit():
    health = then(a_health(breaker=Breaker.RECOVERING, times_opened=2, recovered_at=NOON), tally(200))
    assert (health.breaker, health.times_opened, rate_at(health, None, IN_AN_HOUR)) == (Breaker.CLOSED, 0, None)


@pytest.mark.parametrize(("codes", "enough"), [((500,) * 4, False), ((500,) * 5, True), ((None,) * 3, True)])
def test_an_invocation_stops_sending_to_whom_it_is_no_use(codes, enough):
    assert tally(*codes).is_failing is enough
    assert tally(*codes, 200).is_failing is False
    assert (TIMEOUTS_IN_A_ROW, OPEN_AFTER, GONE_IN_A_ROW) == (3, 5, 2)


@pytest.mark.parametrize(
    ("hours", "failures", "way"),
    [(0, 1, 0), (72, 10, 50), (36, 100, 50), (71.9, 100, 99), (72, 20, 100), (720, 5, 25), (720, 500, 100)],
)
def test_the_way_to_a_pause_takes_hours_and_attempts(hours, failures, way):
    health = a_health(failing_since=NOON, failures=failures)
    assert percent_to_pause(health, times.plus(NOON, hours=hours)) == way


def test_each_notice_is_given_once_and_the_furthest_only():
    health, given = a_health(failing_since=NOON, failures=100), []
    for hour in range(0, 80, 4):
        notice = warning_due(health, times.plus(NOON, hours=hour))
        if notice:
            given.append(notice)
            health = health.with_changes(last_warning=notice)
    assert given == [50, 70, 90, 100]
    assert warning_due(a_health(failing_since=NOON, failures=100), times.plus(NOON, hours=80)) == 100


def test_a_success_gives_a_partner_the_whole_way_again():
    health = then(a_health(failing_since=NOON, failures=100, last_warning=90), tally(200))
    assert (percent_to_pause(health, IN_AN_HOUR), health.last_warning) == (0, 0)


def test_gone_twice_in_a_row_is_the_end_of_the_way():
    once = then(None, tally(410))
    assert warning_due(once, IN_AN_HOUR) is None
    assert warning_due(then(once, tally(410)), IN_AN_HOUR) == 100
    assert warning_due(then(once, tally(500, 410)), IN_AN_HOUR) is None


def test_whom_an_operator_resumes_is_forgiven_and_starts_slowly():
    health = resumed(a_health(failing_since=NOON, failures=100, last_warning=100, gone_replies=2), IN_AN_HOUR)
    assert (health.failures, health.last_warning, health.gone_replies, health.revision) == (0, 0, 0, 4)
    assert rate_at(health, None, IN_AN_HOUR) == 1
