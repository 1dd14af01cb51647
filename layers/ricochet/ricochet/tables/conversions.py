"""Conversions, as their table and as its stream show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ricochet.models.conversion import Conversion, day_shards
from ricochet.tables.items import from_wire, to_wire
from ricochet.tables.table import Table

BY_DAY = "byDay"


class Conversions(Table[Conversion]):
    entity = Conversion

    def get(self, conversion_id: str) -> Conversion | None:
        return self._get({"conversionId": conversion_id})

    def of_days(self, days: Iterable[str], start: dict[str, str] | None) -> Iterator[Conversion]:
        """Those that changed last on one of these days, day by day; from after the index key `start` on."""
        shards = [shard for day in days for shard in day_shards(day)]
        if start is not None:
            shards = shards[shards.index(start["dayShard"]) :]
        for shard in shards:
            after: dict[str, Any] = {"ExclusiveStartKey": to_wire(start)} if start else {}
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=BY_DAY,
                KeyConditionExpression="dayShard = :shard",
                ExpressionAttributeValues=to_wire({":shard": shard}),
                **after,
            )
            yield from (Conversion.from_item(from_wire(item)) for page in pages for item in page["Items"])
            start = None


def day_key(conversion: Conversion) -> dict[str, str]:
    """Where a conversion stands in the index `byDay`."""
    return {
        "dayShard": conversion.day_shard,
        "updatedAt": conversion.updated_at,
        "conversionId": conversion.conversion_id,
    }


def images(record: dict[str, Any]) -> tuple[Conversion | None, Conversion | None]:
    """The conversion before and after, as a stream record shows it."""
    change = record["dynamodb"]
    old, new = (
        Conversion.from_item(from_wire(change[name])) if name in change else None for name in ("OldImage", "NewImage")
    )
    return old, new
