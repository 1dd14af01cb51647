"""/api/v1/partner/deliveries: a partner reads its own deliveries, sent and unsent."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import claims_of, page_of, partners_only, resolver, success, user_of
from ricochet.clients import dynamodb
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.manage_deliveries import ListingQuery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_deliveries import (
    OwnDeliveries,
    OwnDelivery,
    OwnDeliverySummary,
    PartnerDeliveries,
)
from ricochet.delivery.partners.partner_logins import PartnerLogins
from ricochet.delivery.settings import LoginSettings
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(LoginSettings, GroupSettings):
    deliveries_table: str


app = resolver()
settings = Settings.load(os.environ)
partners_only(app, settings.groups_claim)
logins = PartnerLogins.from_settings(dynamodb(), settings)
deliveries = PartnerDeliveries(DeliveriesTable(dynamodb(), settings.deliveries_table))


def me() -> Partner:
    partner = logins.partner_of(user_of(app.current_event), claims_of(app.current_event))
    logger.append_keys(partner_id=partner.partner_id)
    return partner


@app.get("/api/v1/partner/deliveries")
def list_deliveries() -> Response[Any]:
    partner, query = me(), ListingQuery.parse(app.current_event.query_string_parameters)
    page = deliveries.list_page(partner, query, *page_of(app.current_event))
    return success("Deliveries found", page.shown_as(OwnDeliveries, lambda row: OwnDeliverySummary.of(row, partner)))


@app.get("/api/v1/partner/deliveries/<conversion_id>/<version>")
def get_delivery(conversion_id: str, version: str) -> Response[Any]:
    partner = me()
    row = deliveries.get(partner, conversion_id, version)
    return success("Delivery found", OwnDelivery.of(row, partner))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
