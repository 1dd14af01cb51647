"""Dead-letter queue of failed sends: each delivery is tried again, once for each message."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ricochet.clients import dynamodb, sqs
from ricochet.errors import DeliveryBusyError
from ricochet.models.delivery import Delivery
from ricochet.sender.http import RETRY
from ricochet.sender.queues import DeliveryMessage
from ricochet.settings import DeliverySettings
from ricochet.telemetry import count, logger, metrics
from ricochet.use_cases.retry_delivery import RetryDelivery

retry_delivery = RetryDelivery.over(dynamodb(), sqs(), DeliverySettings.load(os.environ), RETRY)


def retry(record: dict[str, Any]) -> str | None:
    """The id of a message that must come back, None if it has done its duty."""
    try:
        tell(retry_delivery(DeliveryMessage.parse(record["body"])))
    except DeliveryBusyError as busy:
        logger.info("delivery busy", extra={"message_id": record["messageId"], "reason": busy.message})
        return record["messageId"]
    except Exception:
        logger.exception("delivery failed on our side", extra={"message_id": record["messageId"]})
        return record["messageId"]
    return None


def tell(row: Delivery | None) -> None:
    if row is None:
        logger.warning("no such delivery")
        return
    logger.info("delivery", extra=row.for_log())
    count(f"Deliveries{row.state.capitalize()}")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    with ThreadPoolExecutor(max_workers=len(event["Records"])) as pool:
        failed = [message_id for message_id in pool.map(retry, event["Records"]) if message_id]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
