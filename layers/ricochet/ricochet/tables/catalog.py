"""What operators configure, products and partners: read often, written rarely, so functions keep it for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ricochet.models.entity import Entity
from ricochet.models.partner import Partner
from ricochet.models.product import Lifecycle, Product
from ricochet.tables.items import from_wire, to_wire
from ricochet.tables.paging import Page
from ricochet.tables.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 60.0
KEPT_ROWS = 10_000
BY_STATUS = "byStatus"


class _Kept[V]:
    """Values for at most `KEPT_SECONDS` since they were read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._values: dict[str, tuple[float, V]] = {}

    def get(self, key: str, read: Callable[[], V]) -> V:
        known = self._values.get(key)
        if known and self._clock() - known[0] < KEPT_SECONDS:
            return known[1]
        value = read()
        if len(self._values) >= KEPT_ROWS:
            self._values.clear()
        self._values[key] = (self._clock(), value)
        return value


class CatalogTable[E: Entity](Table[E]):
    """Rows with a `status` and a `revision`, keyed by one id, listed through the index `byStatus`."""

    key: str

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        super().__init__(client, name)
        self._kept: _Kept[E | None] = _Kept()

    def get(self, row_id: str) -> E | None:
        return self._get({self.key: row_id})

    def get_recent(self, row_id: str) -> E | None:
        """As `get`, but up to a minute old; a row that is missing is looked for again at once."""
        row = self._kept.get(row_id, lambda: self.get(row_id))
        return row if row is not None else self.get(row_id)

    def create(self, row: E) -> bool:
        """False if the id is taken."""
        return self._put_if(row, "attribute_not_exists(#key)", key=self.key)

    def replace(self, row: E, revision: int) -> bool:
        """False if someone else has changed the row since `revision` was read."""
        return self._put_if(row, "#revision = :revision", {":revision": revision}, revision="revision")

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[E]:
        """All rows, or those of one status, in no particular order."""
        query = _with_status(status) if status else {}
        return self._page(f"{self.key}:{status}", limit, cursor, query)


class Products(CatalogTable[Product]):
    entity = Product
    key = "productId"


class Partners(CatalogTable[Partner]):
    entity = Partner
    key = "partnerId"

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        super().__init__(client, name)
        self._active: _Kept[list[Partner]] = _Kept()

    def active(self) -> list[Partner]:
        """Every active partner, up to a minute old."""
        return self._active.get("", self._read_active)

    def _read_active(self) -> list[Partner]:
        pages = self.client.get_paginator("query").paginate(TableName=self.name, **_with_status(Lifecycle.ACTIVE))
        return [Partner.from_item(from_wire(item)) for page in pages for item in page["Items"]]


def _with_status(status: Lifecycle) -> dict[str, Any]:
    return {
        "IndexName": BY_STATUS,
        "KeyConditionExpression": "#status = :status",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": to_wire({":status": status}),
    }
