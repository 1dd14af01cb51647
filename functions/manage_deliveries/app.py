"""/api/v1/admin/deliveries: operators read what partners received, and replay deliveries."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, parse_body, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb, sqs
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.manage_deliveries import Deliveries, DeliveryQuery, DeliverySummary, ManageDeliveries
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import ParkingQueue
from ricochet.delivery.redrive_deliveries import RedriveParked, RedriveRequest
from ricochet.delivery.replay_deliveries import ReplayDeliveries, ReplayRequest
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger

SPARE_MILLISECONDS = 5_000


class Settings(GroupSettings):
    partners_table: str
    deliveries_table: str
    conversions_table: str
    parking_queue_url: str


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
audit = AuditLog(lambda: user_of(app.current_event))
partners = PartnersTable(dynamodb(), settings.partners_table)
deliveries = DeliveriesTable(dynamodb(), settings.deliveries_table)
manage = ManageDeliveries(partners, deliveries, audit)
replay = ReplayDeliveries(partners, deliveries, ConversionsTable(dynamodb(), settings.conversions_table), audit)
redrive = RedriveParked(partners, deliveries, ParkingQueue(sqs(), settings.parking_queue_url), audit)


def has_time() -> bool:
    return bool(app.lambda_context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)


@app.get("/api/v1/admin/deliveries")
def list_deliveries() -> Response[Any]:
    query = DeliveryQuery.parse(app.current_event.query_string_parameters)
    page = manage.list_page(query, *page_of(app.current_event))
    return success("Deliveries found", page.shown_as(Deliveries, DeliverySummary.from_entity))


@app.get("/api/v1/admin/deliveries/undelivered")
def get_undelivered() -> Response[Any]:
    cursor = app.current_event.query_string_parameters.get("cursor")
    return success("Undelivered payouts added up", manage.undelivered(cursor, has_time))


@app.get("/api/v1/admin/deliveries/<conversion_id>/<version>/<partner_id>")
def get_delivery(conversion_id: str, version: str, partner_id: str) -> Response[Any]:
    return success("Delivery found", manage.get(conversion_id, version, partner_id))


@app.post("/api/v1/admin/deliveries/<conversion_id>/<version>/<partner_id>/replay")
def replay_delivery(conversion_id: str, version: str, partner_id: str) -> Response[Any]:
    change = manage.replay(conversion_id, version, partner_id)
    return success("Delivery to be tried again", DeliverySummary.from_entity(change.after))


@app.post("/api/v1/admin/deliveries/replay")
def replay_deliveries() -> Response[Any]:
    request = parse_body(app.current_event, ReplayRequest)
    return success(
        "Deliveries counted" if request.dry_run else "Deliveries to be tried again", replay(request, has_time)
    )


@app.post("/api/v1/admin/deliveries/redrive")
def redrive_deliveries() -> Response[Any]:
    request = parse_body(app.current_event, RedriveRequest)
    if request.dry_run:
        return success("Parking queue counted", redrive.count())
    return success("Parking queue worked off", redrive(request.limit, has_time))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
