"""Durations as short texts."""

from __future__ import annotations

from ricochet.values import times

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


def between(earlier: str, later: str) -> str:
    return of((times.parse(later) - times.parse(earlier)).total_seconds())


def of(seconds: float) -> str:
    """Return a duration in the largest unit that gives at least two, such as `90 s` or `2 min`."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
