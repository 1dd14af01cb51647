"""GET /api/v1/earn/clicks/{clickId}: read the caller's own click and its status."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import public_base_url, resolver, success, user_of
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.read_click import ReadClick
from ricochet.clients import dynamodb
from ricochet.settings import PublicUrlSettings
from ricochet.telemetry import logger


class Settings(PublicUrlSettings):
    clicks_table: str


app = resolver()
settings = Settings.load(os.environ)
read_click = ReadClick(ClicksTable(dynamodb(), settings.clicks_table))


@app.get("/api/v1/earn/clicks/<click_id>")
def get_click(click_id: str) -> Response[Any]:
    base_url = settings.public_base_url or public_base_url(app.current_event)
    return success("Click found", read_click.own(user_of(app.current_event), click_id, base_url))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
