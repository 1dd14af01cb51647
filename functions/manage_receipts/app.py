"""/api/v1/admin/receipts: operators read postbacks as they arrived, with outcomes, and have them processed again."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.intake.manage_receipts import (
    ManageReceipts,
    ReceiptQuery,
    Receipts,
    ReceiptSummary,
    ReceiptView,
    replayed,
)
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(NetworkPostbackSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManageReceipts(
    ReceiptsTable(dynamodb(), settings.receipts_table),
    ReprocessPostback.from_settings(dynamodb(), settings),
    AuditLog(lambda: user_of(app.current_event)),
)


@app.get("/api/v1/admin/receipts")
def list_receipts() -> Response[Any]:
    query = ReceiptQuery.parse(app.current_event.query_string_parameters)
    page = manage.list_page(query, *page_of(app.current_event))
    return success("Receipts found", page.shown_as(Receipts, ReceiptSummary.from_entity))


@app.get("/api/v1/admin/receipts/<receipt_id>")
def get_receipt(receipt_id: str) -> Response[Any]:
    return success("Receipt found", ReceiptView.of(manage.get(receipt_id)))


@app.post("/api/v1/admin/receipts/<receipt_id>/replay")
def replay_receipt(receipt_id: str) -> Response[Any]:
    reply = manage.replay(receipt_id)
    logger.info("receipt replayed", extra=reply.log_fields(receipt_id))
    return success("Receipt replayed", replayed(reply))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
