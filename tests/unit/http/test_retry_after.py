"""The Retry-After header: seconds, a date, or something unusable."""

import email.utils
from datetime import UTC, datetime, timedelta

import pytest

from ricochet.http.client import _retry_after


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("120", 120), (" 7 ", 7), ("9" * 40, 999_999_999)])
def test_seconds_are_read(value, seconds):
    assert _retry_after(value) == seconds


def test_date_counts_from_now():
    moment = datetime.now(UTC) + timedelta(seconds=100)
    assert 97 <= _retry_after(email.utils.format_datetime(moment, usegmt=True)) <= 101


def test_past_date_means_at_once():
    assert _retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "1.5", "1e3", "Wed, 21 Oct 99999 07:28:00 GMT"])
def test_other_values_are_ignored(value):
    assert _retry_after(value) is None


def test_digit_that_is_not_a_number_is_ignored():
    assert _retry_after("\u00b2") is None
