"""POST /api/v1/earn/products/{productId}/click: create a click."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import parse_body, public_base_url, resolver, success, user_of
from ricochet.clicks.create_click import ClickRequest, CreateClick
from ricochet.clicks.settings import CreateClickSettings
from ricochet.clients import dynamodb
from ricochet.metrics import Metric
from ricochet.settings import PublicUrlSettings
from ricochet.telemetry import count, logger, metrics


class Settings(CreateClickSettings, PublicUrlSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
create_click = CreateClick.from_settings(dynamodb(), settings)


@app.post("/api/v1/earn/products/<product_id>/click")
def post_click(product_id: str) -> Response[Any]:
    event = app.current_event
    http = event.request_context.http
    click = create_click(
        user_of(event),
        product_id,
        parse_body(event, ClickRequest),
        ip=http.source_ip,
        user_agent=http.user_agent or "",
        public_base_url=settings.public_base_url or public_base_url(event),
    )
    count(Metric.CLICKS_CREATED)
    logger.info("click created", extra={"click_id": click.click_id, "product_id": product_id})
    return success("Click generated successfully", click, status=201)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
