"""Receipts of postbacks: those that moved nothing are written here, the others with what they moved, by the ledger."""

from __future__ import annotations

from typing import Any

from ricochet.models.postback import Receipt
from ricochet.tables.items import to_wire
from ricochet.tables.paging import Page
from ricochet.tables.table import Table

BY_SOURCE_DAY = "bySourceDay"
BY_CLICK = "byClick"


class Receipts(Table[Receipt]):
    entity = Receipt

    def put(self, receipt: Receipt) -> None:
        """A postback that is tried again overwrites its own receipt: the last word stands."""
        self.client.put_item(TableName=self.name, Item=self.wire(receipt))

    def get(self, receipt_id: str) -> Receipt | None:
        return self._get({"receiptId": receipt_id})

    def of_day(self, source: str, day: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_SOURCE_DAY, "sourceDay", f"{source}#{day}", outcome, limit, cursor)

    def of_click(self, click_id: str, outcome: str | None, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first."""
        return self._newest(BY_CLICK, "clickId", click_id, outcome, limit, cursor)

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
