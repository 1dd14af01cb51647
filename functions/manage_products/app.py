"""/api/v1/admin/products: operators set up what users can earn from."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, resolver, status_filter_of, success, user_of
from ricochet.audit import audit
from ricochet.clicks.manage_products import ManageProducts, ProductInput, shown, warnings
from ricochet.clicks.product import Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.clients import dynamodb
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger
from ricochet.values.inputs import ignored_fields, validate
from ricochet.values.money import Currency


class Settings(GroupSettings):
    products_table: str
    default_currency: Currency


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManageProducts(ProductsTable(dynamodb(), settings.products_table), settings.default_currency)


@app.post("/api/v1/admin/products")
def create_product() -> Response[Any]:
    given = json_object(app.current_event)
    product, token = manage.create(validate(given, ProductInput))
    audit(user_of(app.current_event), "product.created", product.product_id, None, product)
    return answer("Product created", product, token, given, status=201)


@app.get("/api/v1/admin/products")
def list_products() -> Response[Any]:
    page = manage.list_page(status_filter_of(app.current_event), *page_of(app.current_event))
    return success("Products found", page.to_json("items", shown))


@app.get("/api/v1/admin/products/<product_id>")
def get_product(product_id: str) -> Response[Any]:
    return success("Product found", shown(manage.get(product_id)))


@app.patch("/api/v1/admin/products/<product_id>")
def update_product(product_id: str) -> Response[Any]:
    given = json_object(app.current_event)
    before = manage.get(product_id)
    product, token = manage.update(before, given)
    audit(user_of(app.current_event), "product.updated", product_id, before, product)
    return answer("Product updated", product, token, given)


def answer(
    message: str, product: Product, token: str | None, given: dict[str, Any], status: int = 200
) -> Response[Any]:
    data = shown(product) | ({"postbackToken": token} if token else {})
    return success(message, data, status=status, warnings=warnings(product) + ignored_fields(given, ProductInput))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
