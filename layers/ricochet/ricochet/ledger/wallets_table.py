"""Wallets as users and operators read them; the ledger writes them."""

from __future__ import annotations

from ricochet.dynamodb.table import Table
from ricochet.ledger.earning import Wallet


class WalletsTable(Table[Wallet]):
    entity = Wallet

    def of_user(self, user_id: str) -> list[Wallet]:
        """Return one wallet for each currency that the user has ever earned in."""
        return list(self.query("userId = :user", user=user_id, consistent=True))
