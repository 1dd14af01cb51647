"""Queue of failed deliveries: each is tried again, once for each message."""

import os
from typing import Any

from ricochet.clients import dynamodb, events, sqs, when_needed
from ricochet.delivery.queues import DeliveryMessage
from ricochet.delivery.retry_deliveries import RetryDeliveries, parse_messages
from ricochet.delivery.settings import DeliverySettings
from ricochet.errors import DeliveryBusyError
from ricochet.http.client import RETRY
from ricochet.telemetry import logger, metrics, record, record_each

retry = RetryDeliveries.from_settings(
    dynamodb(), when_needed(sqs), when_needed(events), DeliverySettings.load(os.environ), RETRY
)


def log_unfinished(message_id: str, message: DeliveryMessage, reason: Exception) -> None:
    extra = {"message_id": message_id} | message.log_fields()
    if isinstance(reason, DeliveryBusyError):
        logger.info("delivery busy", extra=extra | {"reason": reason.message})
    else:
        logger.error("delivery failed on our side", extra=extra, exc_info=reason)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    messages, unreadable = parse_messages(
        (message["messageId"], message["body"], int(message["attributes"]["ApproximateReceiveCount"]))
        for message in event["Records"]
    )
    result = retry(messages)
    record_each(result.rows)
    for message_id, reason in result.failures.items():
        log_unfinished(message_id, messages[message_id], reason)
    for message_id in unreadable:
        logger.error("message not understood", extra={"message_id": message_id})
    record(result.health_changes)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in [*result.failures, *unreadable]]}
