"""Conversions, as their table and as its stream show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ricochet.models.conversion import Conversion
from ricochet.tables.items import from_wire, to_wire
from ricochet.tables.table import Table

BY_DAY = "byDay"


class Conversions(Table[Conversion]):
    entity = Conversion

    def get(self, conversion_id: str) -> Conversion | None:
        return self._get({"conversionId": conversion_id})

    def changed(self, shard: str, since: str, until: str) -> Iterator[Conversion]:
        """Those in one partition of `byDay` last changed from `since` to before `until`, the earliest first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=BY_DAY,
            KeyConditionExpression="dayShard = :shard AND updatedAt BETWEEN :since AND :until",
            ExpressionAttributeValues=to_wire({":shard": shard, ":since": since, ":until": until}),
        )
        rows = (Conversion.from_item(from_wire(item)) for page in pages for item in page["Items"])
        return (row for row in rows if row.updated_at < until)


def images(record: dict[str, Any]) -> tuple[Conversion | None, Conversion | None]:
    """The conversion before and after, as a stream record shows it."""
    change = record["dynamodb"]
    old, new = (
        Conversion.from_item(from_wire(change[name])) if name in change else None for name in ("OldImage", "NewImage")
    )
    return old, new
