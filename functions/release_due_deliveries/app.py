"""Each minute: deliveries whose waiting time is over go back to the queue."""

import os
from typing import Any

from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.delivery.release_due_deliveries import ReleaseDueDeliveries
from ricochet.delivery.settings import ReleaseSettings
from ricochet.telemetry import logger, metrics, record

SPARE_MILLISECONDS = 10_000

release = ReleaseDueDeliveries.from_settings(dynamodb(), when_needed(sqs), ReleaseSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    released = release(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    record(released)
    return {"released": released.number}
