"""When a failed delivery is retried, and when it is parked."""

import pytest

from ricochet.delivery.retry_schedule import MAX_RETRY_AFTER, RetrySchedule, is_refusal
from tests.unit.builders import an_attempt

SCHEDULE = RetrySchedule.parse("10,60,300,900,3600")
PATIENT = [None, 408, 425, 429, 500, 502, 503, 504, 599]
FINAL = [400, 401, 403, 404, 405, 410, 422, 451, 499]


@pytest.mark.parametrize("status_code", [*PATIENT, 301, 302, 304])
def test_delays_follow_the_schedule_until_it_ends(status_code):
    refused = is_refusal(status_code)
    waits = [SCHEDULE.delay_after(failures, failures * refused, None) for failures in range(1, 7)]
    assert waits[5] is None
    assert all(delay <= wait <= delay * 1.1 for delay, wait in zip(SCHEDULE.delays, waits[:5], strict=True))


@pytest.mark.parametrize("status_code", FINAL)
def test_refused_delivery_is_retried_three_times(status_code):
    refused = is_refusal(status_code)
    waits = [SCHEDULE.delay_after(failures, failures * refused, None) is not None for failures in range(1, 6)]
    assert waits == [True, True, True, False, False]


def test_other_failures_do_not_count_as_refusals():
    assert SCHEDULE.delay_after(4, 1, None) is not None


def test_refusal_does_not_extend_a_short_schedule():
    assert RetrySchedule((5,)).delay_after(2, 2, None) is None


def test_jitter_adds_up_to_ten_percent_and_never_shortens():
    waits = [SCHEDULE.delay_after(4, 0, None) for _ in range(400)]
    assert all(900 <= wait <= 990 for wait in waits)
    assert min(waits) < 920
    assert max(waits) > 970


@pytest.mark.parametrize(
    ("failures", "retry_after", "at_least"),
    [
        (1, 0, 10),
        (1, 9, 10),
        (1, 120, 120),
        (5, 60, 3600),
        (1, MAX_RETRY_AFTER, MAX_RETRY_AFTER),
        (1, 10**8, MAX_RETRY_AFTER),
    ],
)
def test_retry_after_extends_a_delay_up_to_six_hours(failures, retry_after, at_least):
    wait = SCHEDULE.delay_after(failures, 0, retry_after)
    assert at_least <= wait <= at_least * 1.1


def test_longest_retry_after_is_six_hours():
    assert MAX_RETRY_AFTER == 21_600


def test_retry_after_does_not_shorten_a_longer_delay():
    assert RetrySchedule((86_400,)).delay_after(1, 0, 10**6) >= 86_400


def test_retry_after_adds_no_attempt():
    assert SCHEDULE.delay_after(6, 0, 60) is None
    assert SCHEDULE.delay_after(4, 4, 60) is None


def test_schedule_is_parsed_from_a_list_of_seconds():
    assert RetrySchedule.parse("10, 60,0") == RetrySchedule((10, 60, 0))


@pytest.mark.parametrize("text", ["", "10,", "10;60", "1.5", "-1", "10,-60", "soon"])
def test_invalid_schedule_is_refused(text):
    with pytest.raises(ValueError, match=r"invalid literal|must not be negative"):
        RetrySchedule.parse(text)


@pytest.mark.parametrize(
    ("status_code", "succeeded"),
    [
        (200, True),
        (204, True),
        (299, True),
        (199, False),
        (300, False),
        (302, False),
        (404, False),
        (500, False),
        (None, False),
    ],
)
def test_only_2xx_is_a_success(status_code, succeeded):
    assert an_attempt(status_code).is_success is succeeded
