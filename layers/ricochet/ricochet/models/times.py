"""Times are UTC ISO-8601 texts with milliseconds and `Z`, so that they compare as they sort."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> str:
    """The current time, such as `2026-01-31T09:30:00.000Z`."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse(text: str) -> datetime:
    """The moment behind a text made by `iso`; ValueError if it is another format."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def plus(text: str, **delta: float) -> str:
    """`text` moved by a `timedelta(**delta)`."""
    return iso(parse(text) + timedelta(**delta))


def epoch_seconds(text: str) -> int:
    return int(parse(text).timestamp())


def epoch_milliseconds(text: str) -> int:
    return round(parse(text).timestamp() * 1000)
