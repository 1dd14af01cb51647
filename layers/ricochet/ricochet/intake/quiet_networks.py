"""Whether a network is quiet: it used to post on most days, and now sends nothing."""

from __future__ import annotations

from collections.abc import Collection

from ricochet.values import times
from ricochet.values.times import Moment

DAYS_BEFORE = 7

USUAL_DAYS = 5
"""Out of the seven days before the silence; a network that posted on fewer posts irregularly."""


def silent_since(moment: Moment, hours: int) -> Moment:
    return times.plus(moment, hours=-hours)


def recent_days(moment: Moment, hours: int) -> list[str]:
    """Return the days of the possible silence, newest first; the silence covers only part of its first day."""
    since, days = silent_since(moment, hours)[:10], [moment[:10]]
    while days[-1] > since:
        days.append(times.plus(times.start_of(days[-1]), days=-1)[:10])
    return days


def days_before(moment: Moment, hours: int) -> list[str]:
    """Return the whole days before the day on which the silence began."""
    since = silent_since(moment, hours)
    return [times.plus(since, days=-number)[:10] for number in range(1, DAYS_BEFORE + 1)]


def is_usual(posted_on: Collection[str]) -> bool:
    """Whether a network that posted on these days of `days_before` usually posts."""
    return len(posted_on) >= USUAL_DAYS
