"""Whether something that operators set up is in use."""

from __future__ import annotations

from enum import StrEnum


class Lifecycle(StrEnum):
    """Nothing is deleted: what should not be used any more is paused or archived."""

    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"
