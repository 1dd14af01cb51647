"""/api/v1/admin/products: operators manage the products that users can earn from."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, resolver, status_filter_of, success, user_of
from ricochet.audit import AuditLog
from ricochet.clicks.manage_products import ManageProducts, Products, ProductView, SavedProduct
from ricochet.clicks.products_table import ProductsTable
from ricochet.clients import dynamodb
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger
from ricochet.values.money import Currency


class Settings(GroupSettings):
    products_table: str
    default_currency: Currency


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
audit = AuditLog(lambda: user_of(app.current_event))
manage = ManageProducts(ProductsTable(dynamodb(), settings.products_table), audit, settings.default_currency)


@app.post("/api/v1/admin/products")
def create_product() -> Response[Any]:
    change = manage.create(json_object(app.current_event))
    return success("Product created", SavedProduct.of_change(change), status=201, warnings=change.warnings)


@app.get("/api/v1/admin/products")
def list_products() -> Response[Any]:
    page = manage.list_page(status_filter_of(app.current_event), *page_of(app.current_event))
    return success("Products found", page.shown_as(Products, ProductView.of))


@app.get("/api/v1/admin/products/<product_id>")
def get_product(product_id: str) -> Response[Any]:
    return success("Product found", ProductView.of(manage.get(product_id)))


@app.patch("/api/v1/admin/products/<product_id>")
def update_product(product_id: str) -> Response[Any]:
    change = manage.update(product_id, json_object(app.current_event))
    return success("Product updated", SavedProduct.of_change(change), warnings=change.warnings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
