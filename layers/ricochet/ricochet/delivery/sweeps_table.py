"""How far the completeness sweep has come."""

from __future__ import annotations

from typing import ClassVar

from ricochet.dynamodb.table import Table
from ricochet.values.entity import Entity
from ricochet.values.times import Moment

SWEEP = "sweep"


class SweepProgress(Entity):
    """The moment until which all deliveries are known to be recorded."""

    kind: str  # always SWEEP
    subject: str
    swept_until: Moment


class SweepsTable(Table[SweepProgress]):
    """Shares the table of partner health."""

    entity = SweepProgress
    _key: ClassVar = {"kind": SWEEP, "subject": "deliveries"}

    def swept_until(self) -> Moment | None:
        progress = self._get(self._key)
        return progress.swept_until if progress else None

    def advance(self, until: Moment) -> None:
        """Move forwards only, since two sweeps may overlap."""
        progress = SweepProgress(**self._key, swept_until=until)
        self._put_if(progress, "attribute_not_exists(subject) OR sweptUntil < :until", until=until)
