"""GET /api/v1/earn/products: the products that users can earn from."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import page_of, resolver, success
from ricochet.clicks.product import Offer, Offers
from ricochet.clicks.products_table import ProductsTable
from ricochet.clients import dynamodb
from ricochet.settings import EnvironmentSettings
from ricochet.telemetry import logger
from ricochet.values.lifecycle import Lifecycle


class Settings(EnvironmentSettings):
    products_table: str


app = resolver()
products = ProductsTable(dynamodb(), Settings.load(os.environ).products_table)


@app.get("/api/v1/earn/products")
def get_products() -> Response[Any]:
    page = products.list_page(Lifecycle.ACTIVE, *page_of(app.current_event))
    return success("Products found", page.shown_as(Offers, Offer.from_entity))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
