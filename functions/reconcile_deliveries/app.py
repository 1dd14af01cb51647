"""Each hour: proves that every partner was told or is being told of every conversion, and mends what is missing."""

import os
from typing import Any

from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.delivery.reconcile_deliveries import ReconcileDeliveries
from ricochet.metrics import Metric
from ricochet.settings import ReconcileSettings
from ricochet.telemetry import count, logger, metrics

SPARE_MILLISECONDS = 30_000

reconcile = ReconcileDeliveries.from_settings(dynamodb(), when_needed(sqs), ReconcileSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """An operator may give `since` and `until` (times of ours) to sweep another stretch than the next one."""
    result = reconcile(
        lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS, event.get("since"), event.get("until")
    )
    for kind, rows in (("missing", result.missing), ("stranded", result.stranded), ("given up", result.given_up)):
        for row in rows:
            logger.warning(f"delivery {kind}", extra=row.for_log())
    count(Metric.DELIVERY_GAPS, result.gaps)
    count(Metric.DELIVERIES_PARKED, len(result.given_up))
    count(Metric.CONVERSIONS_RECONCILED, result.conversions)
    summary = {"until": result.until, "complete": result.is_complete, "conversions": result.conversions}
    logger.info("reconciled", extra=summary)
    return summary | {
        "missing": len(result.missing),
        "stranded": len(result.stranded),
        "givenUp": len(result.given_up),
    }
