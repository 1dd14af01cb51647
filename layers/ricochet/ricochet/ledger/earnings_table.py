"""Earnings and wallets as users and operators read them; the ledger writes both."""

from __future__ import annotations

from collections.abc import Iterator

from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import CREDIT_SHARDS, WAITING_SHARDS, Earning
from ricochet.values import ids

BY_WAITING = "byWaiting"

BY_CREDIT_AFTER = "byCreditAfter"

PAGE = 100


class EarningsTable(Table[Earning]):
    entity = Earning

    def get(self, user_id: str, earning_id: str) -> Earning | None:
        return self._get({"userId": user_id, "earningId": earning_id})

    def of_user(self, user_id: str, limit: int, cursor: str | None) -> Page[Earning]:
        """The user's earnings, newest first."""
        query = {
            "KeyConditionExpression": "userId = :user",
            "ExpressionAttributeValues": to_wire({":user": user_id}),
            "ScanIndexForward": False,
        }
        return self._page(f"earnings:{user_id}", limit, cursor, query)

    def ledger(self, user_id: str) -> Iterator[Earning]:
        """All of the user's earnings, newest first, as consistently as wallets are read: both can be compared."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="userId = :user",
            ExpressionAttributeValues=to_wire({":user": user_id}),
            ScanIndexForward=False,
            ConsistentRead=True,
        )
        return (Earning.from_item(from_wire(item)) for page in pages for item in page["Items"])

    def of_conversion(self, conversion: Conversion) -> list[Earning]:
        """The user's rows for one conversion, oldest first; reads all that the user has earned since it began."""
        if conversion.user_id is None:
            return []
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="userId = :user AND earningId >= :since",
            FilterExpression="conversionId = :conversion",
            ExpressionAttributeValues=to_wire(
                {
                    ":user": conversion.user_id,
                    ":since": ids.first_earning_id(conversion.created_at),
                    ":conversion": conversion.conversion_id,
                }
            ),
            ConsistentRead=True,
        )
        return [Earning.from_item(from_wire(item)) for page in pages for item in page["Items"]]

    def waiting(self, product_id: str | None, limit: int, cursor: str | None) -> Page[Earning]:
        """Everyone's earnings that wait for us, the longest waiting first."""
        index = ShardedIndex(
            self.client, self.name, BY_WAITING, ("userId", "earningId"), shard="waitingShard", order="earningId"
        )
        where = {"productId": product_id} if product_id else {}
        items, following = index.page(WAITING_SHARDS, limit, cursor, where)
        return Page([Earning.from_item(item) for item in items], following)

    def due(self, moment: str) -> Iterator[tuple[str, str]]:
        """(conversion id, earning id) of all earnings that are to be credited by then; reads on as it is asked."""
        for shard in CREDIT_SHARDS:
            pages = self.client.get_paginator("query").paginate(
                TableName=self.name,
                IndexName=BY_CREDIT_AFTER,
                KeyConditionExpression="creditShard = :shard AND creditAfter <= :now",
                ExpressionAttributeValues=to_wire({":shard": shard, ":now": moment}),
                PaginationConfig={"PageSize": PAGE},
            )
            for page in pages:
                for item in map(from_wire, page["Items"]):
                    yield item["conversionId"], item["earningId"]
