"""Wait for what happens in other processes: only as long as it takes, so that a busy machine is no failure."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 300.0
"""Seconds after which a wait gives up; it only guards against hanging."""

_INTERVAL = 0.1


def eventually[V](look: Callable[[], V], what: str) -> V:
    """Return the first true value of `look`; fail naming `what` if there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {PATIENCE:g} s")
        time.sleep(_INTERVAL)
    return found
