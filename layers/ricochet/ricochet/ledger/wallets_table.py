"""Wallets as users and operators read them; the ledger writes them."""

from __future__ import annotations

from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.ledger.earning import Wallet


class WalletsTable(Table[Wallet]):
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
