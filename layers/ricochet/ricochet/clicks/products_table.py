"""Products, read with every click and every postback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ricochet.clicks.product import Product
from ricochet.dynamodb.catalog_table import CatalogTable
from ricochet.dynamodb.recent import Recent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ProductsTable(CatalogTable[Product]):
    """Products are read with every click and every postback, so they are kept in memory for a minute."""

    entity = Product
    key = "productId"

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(client, name)
        self._recent: Recent[Product] = Recent(clock)

    def cached_then_fresh(self, product_id: str) -> Iterator[Product]:
        """Yield the product as last read, up to a minute ago, and then, if that is rejected, as it is now."""
        return self._recent.cached_then_fresh(product_id, self.get)
