"""GET /api/v1/earn/track/{clickId}: a redirect URL was opened."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver, success
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.read_click import ReadClick
from ricochet.clients import dynamodb
from ricochet.settings import ClickSettings
from ricochet.telemetry import logger, metrics, record_visit

app = resolver()
settings = ClickSettings.load(os.environ)
read_click = ReadClick(ClicksTable(dynamodb(), settings.clicks_table))


@app.get("/api/v1/earn/track/<click_id>")
def get_track(click_id: str) -> Response[Any]:
    visit = read_click.visited(click_id)
    record_visit(visit.click_id)
    return success("Click tracked", visit)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
