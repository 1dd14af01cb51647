"""/api/v1/admin/deliveries: operators see who was told what, and have told anew whoever was not."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, parse_body, resolver, success, user_of
from ricochet.audit import audit, audit_run
from ricochet.clients import dynamodb, sqs
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.manage_deliveries import DeliveryQuery, ManageDeliveries, shown, summary
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
partners, deliveries = (
    PartnersTable(dynamodb(), settings.partners_table),
    DeliveriesTable(dynamodb(), settings.deliveries_table),
)
manage = ManageDeliveries(partners, deliveries)
replay = ReplayDeliveries(partners, deliveries, ConversionsTable(dynamodb(), settings.conversions_table))
redrive = RedriveParked(partners, deliveries, ParkingQueue(sqs(), settings.parking_queue_url))


def has_time() -> bool:
    return bool(app.lambda_context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)


@app.get("/api/v1/admin/deliveries")
def list_deliveries() -> Response[Any]:
    query = DeliveryQuery.parse(app.current_event.query_string_parameters)
    return success("Deliveries found", manage.list_page(query, *page_of(app.current_event)).to_json("items", summary))


@app.get("/api/v1/admin/deliveries/undelivered")
def get_undelivered() -> Response[Any]:
    cursor = app.current_event.query_string_parameters.get("cursor")
    return success("Undelivered payouts added up", manage.undelivered(cursor, has_time).to_json())


@app.get("/api/v1/admin/deliveries/<conversion_id>/<version>/<partner_id>")
def get_delivery(conversion_id: str, version: str, partner_id: str) -> Response[Any]:
    return success("Delivery found", shown(manage.get(conversion_id, version, partner_id)))


@app.post("/api/v1/admin/deliveries/<conversion_id>/<version>/<partner_id>/replay")
def replay_delivery(conversion_id: str, version: str, partner_id: str) -> Response[Any]:
    before, row = manage.get(conversion_id, version, partner_id), manage.replay(conversion_id, version, partner_id)
    logger.append_keys(conversion_id=conversion_id, partner_id=partner_id)
    audit(user_of(app.current_event), "delivery.replayed", row.delivery_id, before, row)
    return success("Delivery to be tried anew", summary(row))


@app.post("/api/v1/admin/deliveries/replay")
def replay_deliveries() -> Response[Any]:
    request = parse_body(app.current_event, ReplayRequest)
    data = replay(request, has_time).to_json()
    if request.dry_run:
        return success("Deliveries counted", data)
    audit_run(user_of(app.current_event), "deliveries.replayed", request.partner_id, data)
    return success("Deliveries to be tried anew", data)


@app.post("/api/v1/admin/deliveries/redrive")
def redrive_deliveries() -> Response[Any]:
    request = parse_body(app.current_event, RedriveRequest)
    if request.dry_run:
        return success("Parking queue counted", {"dryRun": True, **redrive.count()})
    data = {"dryRun": False, **redrive(request.limit, has_time)}
    audit_run(user_of(app.current_event), "deliveries.redriven", "the parking queue", data)
    return success("Parking queue worked off", data)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
