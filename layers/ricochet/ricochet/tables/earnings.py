"""Earnings and wallets as users read them; the ledger writes both."""

from __future__ import annotations

from ricochet.models.earning import Earning, Wallet
from ricochet.tables.items import from_wire, to_wire
from ricochet.tables.paging import Page
from ricochet.tables.table import Table


class Earnings(Table[Earning]):
    entity = Earning

    def of_user(self, user_id: str, limit: int, cursor: str | None) -> Page[Earning]:
        """The user's earnings, newest first."""
        query = {
            "KeyConditionExpression": "userId = :user",
            "ExpressionAttributeValues": to_wire({":user": user_id}),
            "ScanIndexForward": False,
        }
        return self._page(f"earnings:{user_id}", limit, cursor, query)


class Wallets(Table[Wallet]):
    entity = Wallet

    def of_user(self, user_id: str) -> list[Wallet]:
        """One wallet for each currency the user ever earned in; few enough for one page."""
        reply = self.client.query(
            TableName=self.name,
            KeyConditionExpression="userId = :user",
            ExpressionAttributeValues=to_wire({":user": user_id}),
            ConsistentRead=True,
        )
        return [Wallet.from_item(from_wire(item)) for item in reply["Items"]]
