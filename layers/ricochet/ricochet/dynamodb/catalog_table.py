"""What operators configure: products and partners."""

from __future__ import annotations

from typing import Any

from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import to_wire
from ricochet.values.entity import Entity
from ricochet.values.lifecycle import Lifecycle

BY_STATUS = "byStatus"


class CatalogTable[E: Entity](Table[E]):
    """Rows with a `status` and a `revision`, keyed by one id, listed through the index `byStatus`."""

    key: str

    def get(self, row_id: str) -> E | None:
        return self._get({self.key: row_id})

    def create(self, row: E) -> bool:
        """False if the id is taken."""
        return self._try_put(self.creation(row))

    def creation(self, row: E) -> dict[str, Any]:
        """The put behind `create`, for a transaction."""
        return self._conditional_put(row, "attribute_not_exists(#key)", key=self.key)

    def replace(self, row: E, revision: int) -> bool:
        """False if someone else has changed the row since `revision` was read."""
        return self._try_put(self.replacement(row, revision))

    def replacement(self, row: E, revision: int) -> dict[str, Any]:
        """The put behind `replace`, for a transaction."""
        return self._conditional_put(row, "#revision = :revision", {":revision": revision}, revision="revision")

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[E]:
        """All rows, or those of one status, in no particular order."""
        query = with_status(status) if status else {}
        return self._page(f"{self.key}:{status}", limit, cursor, query)


def with_status(status: Lifecycle) -> dict[str, Any]:
    return {
        "IndexName": BY_STATUS,
        "KeyConditionExpression": "#status = :status",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": to_wire({":status": status}),
    }
