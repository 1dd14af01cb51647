"""What operators configure: products and partners."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ricochet.models.entity import Entity
from ricochet.models.partner import Partner
from ricochet.models.product import Lifecycle, Product
from ricochet.tables.items import from_wire, to_wire
from ricochet.tables.paging import Page
from ricochet.tables.recent import Recent
from ricochet.tables.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

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
        query = _with_status(status) if status else {}
        return self._page(f"{self.key}:{status}", limit, cursor, query)


class Products(CatalogTable[Product]):
    """Products are read with every click and every postback, so a process keeps what it has read for a while."""

    entity = Product
    key = "productId"

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(client, name)
        self._recent: Recent[Product] = Recent(clock)

    def versions(self, product_id: str) -> Iterator[Product]:
        """The product as last read, up to a minute ago, and then, for whom that one will not do, as it is now."""
        return self._recent.versions(product_id, self.get)


class Partners(CatalogTable[Partner]):
    entity = Partner
    key = "partnerId"

    def active(self) -> list[Partner]:
        pages = self.client.get_paginator("query").paginate(TableName=self.name, **_with_status(Lifecycle.ACTIVE))
        return [Partner.from_item(from_wire(item)) for page in pages for item in page["Items"]]

    def all(self) -> list[Partner]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return [Partner.from_item(from_wire(item)) for page in pages for item in page["Items"]]


def _with_status(status: Lifecycle) -> dict[str, Any]:
    return {
        "IndexName": BY_STATUS,
        "KeyConditionExpression": "#status = :status",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": to_wire({":status": status}),
    }
