"""Products are cached for a minute, and read again if the cached one is rejected."""

import pytest

from ricochet.clicks.products_table import ProductsTable
from ricochet.dynamodb.recent import KEPT_SECONDS
from ricochet.dynamodb.wire import to_wire
from tests.unit.builders import a_product


class DynamoDb:
    """One product, and how often it was read."""

    def __init__(self, product):
        self.product, self.reads = product, 0

    def get_item(self, **call):
        self.reads += 1
        return {"Item": to_wire(self.product.to_item())} if self.product else {}


@pytest.fixture
def table():
    return DynamoDb(a_product())


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def products(table, clock):
    return ProductsTable(table, "products", clock=lambda: clock[0])


def first(products):
    return next(products.cached_then_fresh("prod_1"), None)


def test_a_product_is_read_at_most_once_a_minute(products, table, clock):
    for moment in (0, 1, KEPT_SECONDS - 0.1):
        clock[0] = 1000 + moment
        assert first(products) == a_product()
    assert table.reads == 1
    clock[0] = 1000 + KEPT_SECONDS
    first(products)
    assert table.reads == 2


def test_a_caller_that_rejects_the_cached_product_gets_the_current_one(products, table):
    first(products)
    table.product = a_product(name="New")
    assert [product.name for product in products.cached_then_fresh("prod_1")] == ["Shop", "New"]
    assert first(products).name == "New"


def test_a_deleted_product_leaves_the_cache(products, table):
    first(products)
    table.product = None
    assert [product.name for product in products.cached_then_fresh("prod_1")] == ["Shop"]
    assert first(products) is None


def test_a_missing_product_is_not_cached(products, table):
    found, table.product = table.product, None
    assert first(products) is None
    table.product = found
    assert first(products) == found
