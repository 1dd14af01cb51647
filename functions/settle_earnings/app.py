"""Every five minutes: what products kept back for a number of days is credited when they are over."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.settings import SettleSettings
from ricochet.telemetry import count, logger, metrics
from ricochet.use_cases.settle_earnings import SettleEarnings

SPARE_MILLISECONDS = 10_000

settle = SettleEarnings.over(dynamodb(), SettleSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Raises, after all others, for those that could not be credited: they are due until they are."""
    result = settle(lambda: context.get_remaining_time_in_millis() > SPARE_MILLISECONDS)
    for conversion in result.credited:
        logger.info("credited", extra={"conversion_id": conversion.conversion_id, "earning_id": conversion.earning_id})
    for earning_id, error in result.failed.items():
        logger.error("not credited", extra={"earning_id": earning_id}, exc_info=error)
    count("EarningsSettled", len(result.credited))
    count("EarningsNotSettled", len(result.failed))
    if result.failed:
        raise ExceptionGroup("earnings that are due were not credited", list(result.failed.values()))
    return {"credited": len(result.credited), "gone": result.gone}
