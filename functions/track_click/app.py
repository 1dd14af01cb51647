"""GET /api/v1/earn/track/{clickId}: count that a redirect URL was opened."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver, success
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.read_click import ReadClick
from ricochet.clients import dynamodb
from ricochet.metrics import Metric
from ricochet.settings import EnvironmentSettings
from ricochet.telemetry import count, logger, metrics


class Settings(EnvironmentSettings):
    clicks_table: str


app = resolver()
settings = Settings.load(os.environ)
read_click = ReadClick(ClicksTable(dynamodb(), settings.clicks_table))


@app.get("/api/v1/earn/track/<click_id>")
def get_track(click_id: str) -> Response[Any]:
    visit = read_click.visited(click_id)
    count(Metric.VISITS, message="visit", click_id=visit.click_id)
    return success("Click tracked", visit)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
