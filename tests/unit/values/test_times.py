"""Times are UTC texts, and comparing texts compares times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ricochet.values import times


def test_a_time_is_written_in_utc_with_milliseconds():
    moment = datetime(2026, 1, 31, 23, 30, 0, 7_999, tzinfo=timezone(timedelta(hours=-2)))
    assert times.iso(moment) == "2026-02-01T01:30:00.007Z"


def test_now_is_the_current_time():
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    assert before <= times.parse(times.now()) <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["2026-01-31T09:30:00.000Z", "1999-12-31T23:59:59.999Z"])
def test_a_text_is_parsed_to_the_time_it_was_made_from(text):
    assert times.iso(times.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "2026-01-31", "2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000+00:00", "2026-13-01T00:00:00.000Z"]
)
def test_another_format_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a time|must be in|Invalid"):
        times.parse(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("2026-01-31T09:30", "2026-01-31T09:30:00.000Z"),
        ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000Z"),
        ("2026-01-31T09:30:00.123Z", "2026-01-31T09:30:00.123Z"),
        ("2026-01-31T23:30:00-02:00", "2026-02-01T01:30:00.000Z"),
    ],
)
def test_a_time_may_be_entered_in_several_formats(written, meant):
    assert times.read(written) == meant


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-01-31T25:00", "1700000000", "0001-01-01T00:00+14:00"])
def test_anything_but_a_time_is_refused(text):
    with pytest.raises(ValueError, match="must be a time such as"):
        times.read(text)


@pytest.mark.parametrize(
    ("delta", "moved"),
    [
        ({"hours": 24}, "2026-03-01T12:00:00.000Z"),
        ({"milliseconds": 1}, "2026-02-28T12:00:00.001Z"),
        ({"seconds": -0.5}, "2026-02-28T11:59:59.500Z"),
    ],
)
def test_a_time_can_be_shifted(delta, moved):
    assert times.plus("2026-02-28T12:00:00.000Z", **delta) == moved


def test_later_texts_are_greater():
    texts = [times.plus("2026-12-31T23:59:58.990Z", milliseconds=step * 7) for step in range(400)]
    assert texts == sorted(set(texts))


def test_epochs_are_unix_epochs():
    assert times.epoch_seconds("1970-01-02T00:00:00.999Z") == 86_400
    assert times.epoch_milliseconds("1970-01-01T00:00:02.501Z") == 2_501
