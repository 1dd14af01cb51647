"""Waits for other processes. A wait ends as soon as its event happens, so a busy machine only makes it longer."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE = 300.0
"""Seconds after which a wait gives up: only a guard against hanging. No passing test waits so long."""

QUIET = 2.0
"""Seconds of watching for what must not happen. A busy machine may hide a fault here, but never invents one."""

_INTERVAL = 0.1


def eventually[V](look: Callable[[], V], what: str) -> V:
    """Return the first true value of `look`; fail naming `what` if there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {PATIENCE:g} s")
        time.sleep(_INTERVAL)
    return found


def never(look: Callable[[], object], what: str) -> None:
    """Fail naming `what` if `look` becomes true for as long as it is watched."""
    deadline = time.monotonic() + QUIET
    while time.monotonic() < deadline:
        if look():
            pytest.fail(f"{what} must not happen")
        time.sleep(_INTERVAL)
    assert not look(), f"{what} must not happen"
