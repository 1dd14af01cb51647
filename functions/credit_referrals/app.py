"""Conversions stream: credits the commissions of referrers, and counts the changes of conversions."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.ledger.conversion_changes import ConversionChanges
from ricochet.ledger.conversions_table import images
from ricochet.ledger.credit_referrals import CreditReferral
from ricochet.ledger.settings import ReferralSettings
from ricochet.telemetry import logger, metrics, record

credit_referral = CreditReferral.from_settings(dynamodb(), ReferralSettings.load(os.environ))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> None:
    """Raise at the first record that fails: all are idempotent, and the stream sends them again.

    Changes are counted after all records, so that a retry does not count them twice.
    """
    for stream_record in event["Records"]:
        commission = credit_referral(stream_record)
        if commission:
            record(commission)
    record(ConversionChanges(map(images, event["Records"])))
