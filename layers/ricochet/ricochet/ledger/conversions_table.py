"""Conversions, as their table and its stream show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ricochet.dynamodb.paging import NOT_OURS, Page, checked_key
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import to_entity
from ricochet.errors import InvalidCursorError
from ricochet.ledger.conversion import Conversion, day_shards
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

BY_DAY = "byDay"

DAY_KEY = ("dayShard", "updatedAt", "conversionId")


class ConversionsTable(Table[Conversion]):
    entity = Conversion

    def get(self, conversion_id: str) -> Conversion | None:
        return self._get({"conversionId": conversion_id})

    def changed(self, shard: str, since: Moment, until: Moment) -> Iterator[Conversion]:
        """Yield those in one partition of `byDay` last changed from `since` to before `until`, the earliest first."""
        condition = "dayShard = :shard AND updatedAt BETWEEN :since AND :until"
        rows = self.query(condition, index=BY_DAY, shard=shard, since=since, until=until)
        return (row for row in rows if row.updated_at < until)

    def of_day(self, day: str, status: Status | None, limit: int, cursor: str | None) -> Page[Conversion]:
        """Return those last changed on this day, newest first."""
        index = ShardedIndex(self, BY_DAY, ("conversionId",), shard="dayShard", order="updatedAt", newest_first=True)
        return index.page(day_shards(day), limit, cursor, {"status": status} if status else {})

    def of_days(self, days: Iterable[str], start: dict[str, str] | None) -> Iterator[Conversion]:
        """Yield those last changed on one of these days, day by day, from after the index key `start` on."""
        shards = [shard for day in days for shard in day_shards(day)]
        if start:
            start = checked_key(start, DAY_KEY)
            if start["dayShard"] not in shards:
                raise InvalidCursorError(NOT_OURS)
            shards = shards[shards.index(start["dayShard"]) :]
        for shard in shards:
            yield from self.query("dayShard = :shard", index=BY_DAY, shard=shard).after(start)
            start = None


def day_key(conversion: Conversion) -> dict[str, str]:
    """Return the key of a conversion in the index `byDay`."""
    return dict(zip(DAY_KEY, (conversion.day_shard, conversion.updated_at, conversion.conversion_id), strict=True))


def images(record: dict[str, Any]) -> tuple[Conversion | None, Conversion | None]:
    """Return the conversion before and after the change of a stream record."""
    change = record["dynamodb"]
    old, new = (to_entity(Conversion, change[name]) if name in change else None for name in ("OldImage", "NewImage"))
    return old, new
