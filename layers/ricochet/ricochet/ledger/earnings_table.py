"""Earnings and wallets as users and operators read them; the ledger writes both."""

from __future__ import annotations

from collections.abc import Iterator

from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.query import Query
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import CREDIT_SHARDS, WAITING_SHARDS, Earning
from ricochet.values import ids
from ricochet.values.times import Moment

BY_WAITING = "byWaiting"

BY_CREDIT_AFTER = "byCreditAfter"

PAGE = 100


class EarningsTable(Table[Earning]):
    entity = Earning

    def get(self, user_id: str, earning_id: str) -> Earning | None:
        return self._get({"userId": user_id, "earningId": earning_id})

    def of_user(self, user_id: str, limit: int, cursor: str | None) -> Page[Earning]:
        """Return the user's earnings, newest first."""
        return self._of_user(user_id).page(f"earnings:{user_id}", limit, cursor)

    def ledger(self, user_id: str) -> Iterator[Earning]:
        """Yield all of the user's earnings, newest first, as consistently as wallets are read."""
        return iter(self._of_user(user_id, consistent=True))

    def of_conversion(self, conversion: Conversion) -> list[Earning]:
        """Return the user's rows for one conversion, oldest first; reads all the user's rows since its creation."""
        if conversion.user_id is None:
            return []
        rows = self.query(
            "userId = :user AND earningId >= :since",
            where="conversionId = :conversion",
            consistent=True,
            user=conversion.user_id,
            since=ids.first_earning_id(conversion.created_at),
            conversion=conversion.conversion_id,
        )
        return list(rows)

    def waiting(self, product_id: str | None, limit: int, cursor: str | None) -> Page[Earning]:
        """Return all users' earnings that wait for a decision, the longest waiting first."""
        index = ShardedIndex(self, BY_WAITING, ("userId", "earningId"), shard="waitingShard", order="earningId")
        return index.page(WAITING_SHARDS, limit, cursor, {"productId": product_id} if product_id else {})

    def due(self, moment: Moment) -> Iterator[tuple[str, str]]:
        """Yield (conversion id, earning id) of all earnings that are to be credited by then; read as they are used."""
        condition = "creditShard = :shard AND creditAfter <= :now"
        for shard in CREDIT_SHARDS:
            due = self.query(condition, index=BY_CREDIT_AFTER, shard=shard, now=moment, page_size=PAGE)
            for item in due.items():
                yield item["conversionId"], item["earningId"]

    def _of_user(self, user_id: str, *, consistent: bool = False) -> Query[Earning]:
        return self.query("userId = :user", user=user_id, newest_first=True, consistent=consistent)
