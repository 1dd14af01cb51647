"""GET /api/v1/earn/earnings: the caller's ledger, newest first."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import page_of, resolver, success, user_of
from ricochet.clients import dynamodb
from ricochet.ledger.earning import Earnings, EarningView
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.settings import EnvironmentSettings
from ricochet.telemetry import logger


class Settings(EnvironmentSettings):
    earnings_table: str


app = resolver()
earnings = EarningsTable(dynamodb(), Settings.load(os.environ).earnings_table)


@app.get("/api/v1/earn/earnings")
def get_earnings() -> Response[Any]:
    page = earnings.of_user(user_of(app.current_event), *page_of(app.current_event))
    return success("Earnings found", page.shown_as(Earnings, EarningView.of))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
