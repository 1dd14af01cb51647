"""/api/v1/admin/earnings: operators list held earnings, and approve or reject them."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, parse_body, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.manage_earnings import ApprovalInput, LedgerRow, LedgerRows, ManageEarnings, RejectionInput
from ricochet.ledger.settings import DecisionSettings
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger
from ricochet.values.statuses import Status


class Settings(DecisionSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManageEarnings(
    EarningsTable(dynamodb(), settings.earnings_table),
    DecideConversion.from_settings(dynamodb(), settings),
    AuditLog(lambda: user_of(app.current_event)),
)


@app.get("/api/v1/admin/earnings")
def list_earnings() -> Response[Any]:
    product_id = app.current_event.query_string_parameters.get("productId")
    page = manage.list_page(product_id, *page_of(app.current_event))
    return success("Earnings found", page.shown_as(LedgerRows, LedgerRow.from_entity))


@app.post("/api/v1/admin/earnings/<user_id>/<earning_id>/approve")
def approve_earning(user_id: str, earning_id: str) -> Response[Any]:
    reason = parse_body(app.current_event, ApprovalInput).reason
    return success("Earning approved", manage.decide(user_id, earning_id, Status.APPROVED, reason).after)


@app.post("/api/v1/admin/earnings/<user_id>/<earning_id>/reject")
def reject_earning(user_id: str, earning_id: str) -> Response[Any]:
    reason = parse_body(app.current_event, RejectionInput).reason
    return success("Earning rejected", manage.decide(user_id, earning_id, Status.REJECTED, reason).after)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
