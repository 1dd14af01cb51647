"""Conversions, as their table and as its stream show them."""

from __future__ import annotations

from typing import Any

from ricochet.models.conversion import Conversion
from ricochet.tables.items import from_wire
from ricochet.tables.table import Table

BY_DAY = "byDay"


class Conversions(Table[Conversion]):
    entity = Conversion

    def get(self, conversion_id: str) -> Conversion | None:
        return self._get({"conversionId": conversion_id})


def images(record: dict[str, Any]) -> tuple[Conversion | None, Conversion | None]:
    """The conversion before and after, as a stream record shows it."""
    change = record["dynamodb"]
    old, new = (
        Conversion.from_item(from_wire(change[name])) if name in change else None for name in ("OldImage", "NewImage")
    )
    return old, new
