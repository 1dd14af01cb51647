"""Receipts of postbacks; the ledger writes those of postbacks that changed something, with the change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ricochet.dynamodb.expressions import put
from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.ledger.receipt import Receipt, source_day, unidentified_days
from ricochet.values import ids, times
from ricochet.values.times import Moment

BY_SOURCE_DAY = "bySourceDay"

BY_CLICK = "byClick"


class ReceiptsTable(Table[Receipt]):
    entity = Receipt

    def put(self, receipt: Receipt) -> None:
        """Write the receipt; a postback that is processed again overwrites its own."""
        self.client.put_item(**put(self.name, receipt))

    def get(self, receipt_id: str) -> Receipt | None:
        return self._get({"receiptId": receipt_id})

    def of_day(self, source: str, day: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_SOURCE_DAY, "sourceDay", source_day(source, day), outcome, limit, cursor)

    def last_of_day(self, source: str, day: str) -> Receipt | None:
        return next(iter(self.of_day(source, day, None, 1, None).items), None)

    def of_unidentified(self, day: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Return receipts of postbacks that belong to no known click, and so to no source; newest first."""
        index = ShardedIndex(
            self, BY_SOURCE_DAY, ("receiptId",), shard="sourceDay", order="receiptId", newest_first=True
        )
        return index.page(unidentified_days(day), limit, cursor, {"outcome": outcome} if outcome else {})

    def of_click(self, click_id: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_CLICK, "clickId", click_id, outcome, limit, cursor)

    def between(self, source: str, since: Moment, until: Moment) -> Iterator[Receipt]:
        """Yield what a source sent from one moment to another, at most a day later; the oldest first."""
        for day in dict.fromkeys((since[:10], until[:10])):
            yield from self.query(
                "sourceDay = :day AND receiptId BETWEEN :first AND :last",
                index=BY_SOURCE_DAY,
                day=source_day(source, day),
                first=ids.first_receipt_id(since),
                last=ids.first_receipt_id(times.plus(until, milliseconds=1)),
            )

    def _newest(
        self, index: str, key: str, value: str, outcome: str | None, limit: int, cursor: str | None
    ) -> Page[Receipt]:
        where: dict[str, Any] = {"where": "outcome = :outcome", "outcome": outcome} if outcome else {}
        rows = self.query(f"{key} = :value", index=index, newest_first=True, value=value, **where)
        return rows.page(f"{index}:{value}:{outcome}", limit, cursor)
