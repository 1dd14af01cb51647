"""Times are UTC ISO 8601 texts with milliseconds and `Z`: comparing texts compares times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NewType

Moment = NewType("Moment", str)
"""A text such as `2026-01-31T09:30:00.000Z`, made by this module."""

EARLIEST = Moment("0001-01-01T00:00:00.000Z")

LATEST = Moment("9999-12-31T23:59:59.999Z")

LENGTH = len(EARLIEST)


def now() -> Moment:
    """Return the current time, such as `2026-01-31T09:30:00.000Z`."""
    return iso(datetime.now(UTC))


def iso(time: datetime) -> Moment:
    return Moment(time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def parse(moment: str) -> datetime:
    """Return the time in a text made by `iso`. Raise ValueError if it has another format."""
    if len(moment) != LENGTH or moment[-1] != "Z" or moment[10] != "T":
        raise ValueError(f"{moment[:LENGTH]!r} is not a time of ours")
    return datetime.fromisoformat(moment)


def read(text: str) -> Moment:
    """Return the time in what a person may write: an ISO 8601 time or day, in UTC unless it says otherwise.

    Raise ValueError if it is neither.
    """
    try:
        time = datetime.fromisoformat(text)
        return iso(time if time.tzinfo else time.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time such as 2026-01-31T09:30:00Z") from error


def start_of(day: str) -> Moment:
    """Return the first moment of a day such as 2026-01-31."""
    return Moment(f"{day}T00:00:00.000Z")


def plus(moment: Moment, **delta: float) -> Moment:
    """Return `moment` plus a `timedelta(**delta)`."""
    return iso(parse(moment) + timedelta(**delta))


def seconds_between(start: Moment, end: Moment) -> float:
    return (parse(end) - parse(start)).total_seconds()


def epoch_seconds(moment: Moment) -> int:
    return int(parse(moment).timestamp())


def epoch_milliseconds(moment: Moment) -> int:
    return round(parse(moment).timestamp() * 1000)
