"""Which network has fallen silent: one that posted on most days, and then nothing any more."""

from __future__ import annotations

from collections.abc import Collection

from ricochet.values import times

DAYS_BEFORE = 7

USUAL_DAYS = 5
"""Of the seven days before a silence: who posted on fewer is one that posts now and then."""


def silent_since(moment: str, hours: int) -> str:
    return times.plus(moment, hours=-hours)


def recent_days(moment: str, hours: int) -> list[str]:
    """The days of the possible silence, the newest first; its first day is only in part one of them."""
    since, days = silent_since(moment, hours)[:10], [moment[:10]]
    while days[-1] > since:
        days.append(times.plus(f"{days[-1]}T00:00:00.000Z", days=-1)[:10])
    return days


def days_before(moment: str, hours: int) -> list[str]:
    """The whole days before the one on which the silence would have begun."""
    since = silent_since(moment, hours)
    return [times.plus(since, days=-number)[:10] for number in range(1, DAYS_BEFORE + 1)]


def is_usual(posted_on: Collection[str]) -> bool:
    """Whether a network that posted on these days of `days_before` is one that usually does."""
    return len(posted_on) >= USUAL_DAYS
