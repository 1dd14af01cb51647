"""Times are UTC ISO 8601 texts with milliseconds and `Z`: comparing texts compares times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EARLIEST = "0001-01-01T00:00:00.000Z"

LATEST = "9999-12-31T23:59:59.999Z"

LENGTH = len(EARLIEST)


def now() -> str:
    """Return the current time, such as `2026-01-31T09:30:00.000Z`."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """Return the time in a text made by `iso`. Raise ValueError if it has another format."""
    if len(text) != LENGTH or text[-1] != "Z" or text[10] != "T":
        raise ValueError(f"{text[:LENGTH]!r} is not a time of ours")
    return datetime.fromisoformat(text)


def read(text: str) -> str:
    """Return the time in what a person may write: an ISO 8601 time or day, in UTC unless it says otherwise.

    Raise ValueError if it is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError("must be a time such as 2026-01-31T09:30:00Z") from error


def plus(text: str, **delta: float) -> str:
    """Return the time `text` plus a `timedelta(**delta)`."""
    return iso(parse(text) + timedelta(**delta))


def seconds_between(start: str, end: str) -> float:
    return (parse(end) - parse(start)).total_seconds()


def epoch_seconds(text: str) -> int:
    return int(parse(text).timestamp())


def epoch_milliseconds(text: str) -> int:
    return round(parse(text).timestamp() * 1000)
