"""Conversions stream: referrers get their share of what was credited."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.settings import ReferralSettings
from ricochet.telemetry import logger, metrics, tell_commission
from ricochet.use_cases.credit_referral import CreditReferral

credit_referral = CreditReferral.over(dynamodb(), ReferralSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Raises at the first record that fails: all of them are idempotent, and the stream brings them again."""
    for record in event["Records"]:
        earning = credit_referral(record)
        if earning:
            tell_commission(earning)
