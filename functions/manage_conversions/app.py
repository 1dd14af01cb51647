"""/api/v1/admin/conversions: operators look at conversions, and correct their status by hand."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, page_of, parse_body, resolver, success, user_of
from ricochet.audit import audit
from ricochet.clients import dynamodb
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.manage_conversions import ConversionQuery, ManageConversions, StatusInput, summary
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
)


@app.get("/api/v1/admin/conversions")
def list_conversions() -> Response[Any]:
    query = ConversionQuery.parse(app.current_event.query_string_parameters)
    page = manage.list_page(query, *page_of(app.current_event))
    return success("Conversions found", page.to_json("items", summary))


@app.get("/api/v1/admin/conversions/<conversion_id>")
def get_conversion(conversion_id: str) -> Response[Any]:
    return success("Conversion found", manage.shown(manage.get(conversion_id)))


@app.post("/api/v1/admin/conversions/<conversion_id>/status")
def correct_status(conversion_id: str) -> Response[Any]:
    given, who = parse_body(app.current_event, StatusInput), user_of(app.current_event)
    decision = Decision(f"operator:{who}", given.status, given.reason)
    settlement = manage.correct(conversion_id, decision)
    logger.append_keys(conversion_id=conversion_id)
    audit(who, "conversion.corrected", conversion_id, settlement.prior, settlement.conversion, given.reason)
    return success("Status corrected", manage.shown(settlement.conversion))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
