"""Conversions stream: referrers get their share of what was credited; what conversions came to is counted."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.ledger.conversions_table import images
from ricochet.ledger.credit_referrals import CreditReferral
from ricochet.settings import ReferralSettings
from ricochet.telemetry import logger, metrics, record_changes, record_commission

credit_referral = CreditReferral.from_settings(dynamodb(), ReferralSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Raises at the first record that fails: all of them are idempotent, and the stream brings them again.

    Changes are counted when all records are through, so that they are not counted with each try.
    """
    for record in event["Records"]:
        earning = credit_referral(record)
        if earning:
            record_commission(earning)
    record_changes(map(images, event["Records"]))
