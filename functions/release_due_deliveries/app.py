"""Each minute: deliveries whose long wait is over go back to the queue."""

import os
from typing import Any

from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.metric_names import Metric
from ricochet.sender.queues import DeliveryQueue
from ricochet.settings import ReleaseSettings
from ricochet.tables.catalog import Partners
from ricochet.tables.deliveries import Deliveries
from ricochet.tables.health import Health
from ricochet.telemetry import count, logger, measure, metrics
from ricochet.use_cases.release_due_deliveries import ReleaseDueDeliveries

SPARE_MILLISECONDS = 10_000

settings = ReleaseSettings.load(os.environ)
release = ReleaseDueDeliveries(
    Partners(dynamodb(), settings.partners_table),
    Deliveries(dynamodb(), settings.deliveries_table),
    Health(dynamodb(), settings.health_table),
    DeliveryQueue(when_needed(sqs), settings.retry_queue_url),
)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    released = release(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    count(Metric.DELIVERIES_RELEASED, released.number)
    measure(Metric.OLDEST_DUE, released.oldest_due)
    return {"released": released.number}
