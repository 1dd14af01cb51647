"""Every five minutes: what products kept back for a number of days is credited when they are over."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.ledger.credit_held_earnings import CreditHeldEarnings
from ricochet.settings import SettleSettings
from ricochet.telemetry import logger, metrics, record_credit_run

SPARE_MILLISECONDS = 10_000

settle = CreditHeldEarnings.from_settings(dynamodb(), SettleSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Those that could not be credited are told of, and due until they are; they fail no run."""
    result = settle(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    record_credit_run(result)
    return {"credited": len(result.credited), "gone": result.gone, "failed": len(result.failed)}
