"""Each hour: checks that every conversion was or is being sent to every partner, and creates missing deliveries."""

import os
from typing import Any

from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.delivery.reconcile_deliveries import ReconcileDeliveries
from ricochet.delivery.settings import ReconcileSettings
from ricochet.telemetry import logger, metrics, record

SPARE_MILLISECONDS = 30_000

reconcile = ReconcileDeliveries.from_settings(dynamodb(), when_needed(sqs), ReconcileSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An operator may pass `since` and `until` (times in our format) to sweep another period than the next one."""
    result = reconcile(
        lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS, event.get("since"), event.get("until")
    )
    record(result)
    return result.to_json()
