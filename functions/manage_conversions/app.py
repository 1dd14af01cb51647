"""/api/v1/admin/conversions: operators look at conversions, and correct their status by hand."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, parse_body, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.manage_conversions import (
    ConversionQuery,
    Conversions,
    ConversionSummary,
    ManageConversions,
    StatusInput,
)
from ricochet.ledger.settings import DecisionSettings
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(DecisionSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManageConversions(
    ConversionsTable(dynamodb(), settings.conversions_table),
    EarningsTable(dynamodb(), settings.earnings_table),
    DecideConversion.from_settings(dynamodb(), settings),
    AuditLog(lambda: user_of(app.current_event)),
)


@app.get("/api/v1/admin/conversions")
def list_conversions() -> Response[Any]:
    query = ConversionQuery.parse(app.current_event.query_string_parameters)
    page = manage.list_page(query, *page_of(app.current_event))
    return success("Conversions found", page.shown_as(Conversions, ConversionSummary.from_entity))


@app.get("/api/v1/admin/conversions/<conversion_id>")
def get_conversion(conversion_id: str) -> Response[Any]:
    return success("Conversion found", manage.get(conversion_id))


@app.post("/api/v1/admin/conversions/<conversion_id>/status")
def correct_status(conversion_id: str) -> Response[Any]:
    given = parse_body(app.current_event, StatusInput)
    return success("Status corrected", manage.correct(conversion_id, given))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
