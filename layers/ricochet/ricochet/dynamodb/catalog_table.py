"""Tables of rows with a status and a revision, listed by status and replaced only if unchanged."""

from __future__ import annotations

from ricochet.dynamodb.expressions import Parameters, put
from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.query import Query
from ricochet.dynamodb.table import Table
from ricochet.values.entity import Entity
from ricochet.values.lifecycle import Lifecycle

BY_STATUS = "byStatus"


class CatalogTable[E: Entity](Table[E]):
    """Rows with a `status` and a `revision`, keyed by one id, listed through the index `byStatus`."""

    key: str

    def get(self, row_id: str) -> E | None:
        return self._get({self.key: row_id})

    def create(self, row: E) -> bool:
        """Return False if the id is taken."""
        return self._try_put(self.creation(row))

    def creation(self, row: E) -> Parameters:
        """Return the put of `create`, for a transaction."""
        return put(self.name, row, f"attribute_not_exists({self.key})")

    def replace(self, row: E, revision: int) -> bool:
        """Return False if someone else has changed the row since `revision` was read."""
        return self._try_put(self.replacement(row, revision))

    def replacement(self, row: E, revision: int) -> Parameters:
        """Return the put of `replace`, for a transaction."""
        return put(self.name, row, "#revision = :revision", revision=revision)

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[E]:
        """Return all rows, or those of one status, in no particular order."""
        rows = self.with_status(status) if status else self.scan()
        return rows.page(f"{self.key}:{status}", limit, cursor)

    def with_status(self, status: Lifecycle) -> Query[E]:
        return self.query("#status = :status", index=BY_STATUS, status=status)
