"""Receipts of postbacks that moved nothing; those that did are written with what they moved, by the ledger."""

from __future__ import annotations

from ricochet.models.postback import Receipt
from ricochet.tables.table import Table


class Receipts(Table[Receipt]):
    entity = Receipt

    def put(self, receipt: Receipt) -> None:
        """A postback that is tried again overwrites its own receipt: the last word stands."""
        self.client.put_item(TableName=self.name, Item=self.wire(receipt))
