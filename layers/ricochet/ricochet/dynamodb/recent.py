"""Rows that are read with every request, and so are kept in memory for a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

KEPT_SECONDS = 60.0

KEPT_ROWS = 10_000


class Recent[V]:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, V]] = {}

    def cached_then_fresh(self, key: str, read: Callable[[str], V | None]) -> Iterator[V]:
        """Yield the row as last read, up to a minute ago, and then, if that is rejected, as it is now."""
        kept = self._kept.get(key)
        if kept and self._clock() - kept[0] < KEPT_SECONDS:
            yield kept[1]
        row = read(key)
        if row is None:
            self._kept.pop(key, None)
            return
        if len(self._kept) >= KEPT_ROWS:
            self._kept.clear()
        self._kept[key] = (self._clock(), row)
        yield row
