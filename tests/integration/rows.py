"""The deployed tables, read and changed by tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.demo import deliveries
from local.stack import Stack
from ricochet.delivery.delivery import Delivery
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.ledger.receipt import Receipt


@dataclass(frozen=True)
class Rows:
    """Rows of the stack's tables, where no endpoint shows them."""

    stack: Stack

    def scan(self, table: str) -> list[dict[str, Any]]:
        return self._scan(table)

    def find(self, table: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows that have these values."""
        return self._scan(
            table,
            FilterExpression=" AND ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=to_wire({f":{name}": value for name, value in values.items()}),
        )

    def _scan(self, table: str, **filters: Any) -> list[dict[str, Any]]:
        pages = self.stack.aws.dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.table(table), ConsistentRead=True, **filters
        )
        return [from_wire(item) for page in pages for item in page["Items"]]

    def of_user(self, table: str, user_id: str) -> list[dict[str, Any]]:
        """Return the user's rows of a table whose partition key is the user."""
        reply = self.stack.aws.dynamodb.query(
            TableName=self.stack.table(table),
            KeyConditionExpression="userId = :user",
            ExpressionAttributeValues=to_wire({":user": user_id}),
            ConsistentRead=True,
        )
        return [from_wire(item) for item in reply["Items"]]

    def receipts(self, click_id: str) -> list[Receipt]:
        rows = [Receipt.from_item(row) for row in self.find("Receipts", clickId=click_id)]
        return sorted(rows, key=lambda row: row.receipt_id)

    def conversions(self, click_id: str) -> list[dict[str, Any]]:
        return self.find("Conversions", clickId=click_id)

    def deliveries(self, click_id: str) -> list[Delivery]:
        return [row for c in self.conversions(click_id) for row in deliveries(self.stack, c["conversionId"])]

    def set(self, table: str, key: dict[str, Any], **values: Any) -> None:
        names = {f"#{name}": name for name in values}
        self.stack.aws.dynamodb.update_item(
            TableName=self.stack.table(table),
            Key=to_wire(key),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_wire({f":{name}": value for name, value in values.items()}),
        )
