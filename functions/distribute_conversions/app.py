"""Conversions stream: each change of status is sent to every active partner that is subscribed to it."""

import os
from typing import Any

from ricochet.clients import dynamodb, events, sqs, when_needed
from ricochet.delivery.distribute_conversions import DistributeConversions
from ricochet.delivery.settings import DeliverySettings
from ricochet.http.client import FIRST_ATTEMPT
from ricochet.telemetry import logger, metrics, record, record_each

SPARE_MILLISECONDS = 10_000

settings = DeliverySettings.load(os.environ)
distribute = DistributeConversions.from_settings(
    dynamodb(), when_needed(sqs), when_needed(events), settings, FIRST_ATTEMPT
)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Raise only if our own side failed: deliveries are idempotent, and the stream sends the records again."""
    result = distribute(event["Records"], lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    record_each(result.rows)
    record(result.health_changes)
