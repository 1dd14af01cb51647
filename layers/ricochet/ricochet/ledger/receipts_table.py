"""Receipts of postbacks: those that moved nothing are written here, the others with what they moved, by the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.ledger.receipt import Receipt, source_day, unidentified_days
from ricochet.values import ids, times

BY_SOURCE_DAY = "bySourceDay"

BY_CLICK = "byClick"


class ReceiptsTable(Table[Receipt]):
    entity = Receipt

    def put(self, receipt: Receipt) -> None:
        """A postback that is tried again overwrites its own receipt: the last word stands."""
        self.client.put_item(TableName=self.name, Item=self.wire(receipt))

    def get(self, receipt_id: str) -> Receipt | None:
        return self._get({"receiptId": receipt_id})

    def of_day(self, source: str, day: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_SOURCE_DAY, "sourceDay", source_day(source, day), outcome, limit, cursor)

    def last_of_day(self, source: str, day: str) -> Receipt | None:
        return next(iter(self.of_day(source, day, None, 1, None).items), None)

    def of_unidentified(self, day: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Of postbacks that could be tied to no click, and so to no source; newest first."""
        index = ShardedIndex(
            *(self.client, self.name, BY_SOURCE_DAY, ("receiptId",)),
            shard="sourceDay",
            order="receiptId",
            newest_first=True,
        )
        items, following = index.page(unidentified_days(day), limit, cursor, {"outcome": outcome} if outcome else {})
        return Page([Receipt.from_item(item) for item in items], following)

    def of_click(self, click_id: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_CLICK, "clickId", click_id, outcome, limit, cursor)

    def between(self, source: str, since: str, until: str) -> Iterator[Receipt]:
        """What a source sent from one moment to another, at most a day later; the oldest first."""
        for day in dict.fromkeys((since[:10], until[:10])):
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=BY_SOURCE_DAY,
                KeyConditionExpression="sourceDay = :value AND receiptId BETWEEN :first AND :last",
                ExpressionAttributeValues=to_wire(
                    {
                        ":value": source_day(source, day),
                        ":first": ids.first_receipt_id(since),
                        ":last": ids.first_receipt_id(times.plus(until, milliseconds=1)),
                    }
                ),
            )
            yield from (Receipt.from_item(from_wire(item)) for page in pages for item in page["Items"])

    def _newest(
        self, index: str, key: str, value: str, outcome: str | None, limit: int, cursor: str | None
    ) -> Page[Receipt]:
        values = {":value": value} | ({":outcome": outcome} if outcome else {})
        query: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": f"{key} = :value",
            "ExpressionAttributeValues": to_wire(values),
            "ScanIndexForward": False,
        }
        if outcome:
            query["FilterExpression"] = "outcome = :outcome"
        return self._page(f"{index}:{value}:{outcome}", limit, cursor, query)
