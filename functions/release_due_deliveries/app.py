"""Each minute: deliveries whose long wait is over go back to the queue."""

import os
from typing import Any

from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryQueue
from ricochet.delivery.release_due_deliveries import ReleaseDueDeliveries
from ricochet.metrics import Metric
from ricochet.settings import ReleaseSettings
from ricochet.telemetry import count, logger, measure, metrics

SPARE_MILLISECONDS = 10_000

settings = ReleaseSettings.load(os.environ)
release = ReleaseDueDeliveries(
    PartnersTable(dynamodb(), settings.partners_table),
    DeliveriesTable(dynamodb(), settings.deliveries_table),
    HealthTable(dynamodb(), settings.health_table),
    DeliveryQueue(when_needed(sqs), settings.retry_queue_url),
)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    released = release(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    count(Metric.DELIVERIES_RELEASED, released.number)
    measure(Metric.OLDEST_DUE, released.oldest_due)
    return {"released": released.number}
