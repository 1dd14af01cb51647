"""Every five minutes: earnings that were held for their product's hold days are credited when those are over."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.ledger.credit_held_earnings import CreditHeldEarnings
from ricochet.ledger.settings import CreditSettings
from ricochet.telemetry import logger, metrics, record

SPARE_MILLISECONDS = 10_000

credit = CreditHeldEarnings.from_settings(dynamodb(), CreditSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Earnings that could not be credited are logged and stay due; they do not fail the run."""
    result = credit(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    record(result)
    return {"credited": len(result.credited), "gone": result.gone, "failed": len(result.failed)}
