"""Every metric of ours: what code counts, and what the dashboard and the alarms may name.

What there is a fixed number of (outcomes, statuses) has names; what there may be any number of (currencies, networks)
is a dimension.
"""

from __future__ import annotations

from enum import Enum

from aws_lambda_powertools.metrics import MetricUnit


class Metric(Enum):
    """Name in CloudWatch, unit, and dimension beside `service` if it has one."""

    CLICKS_CREATED = "ClicksCreated"
    VISITS = "Visits"

    # Postbacks: each is one of these
    POSTBACKS_CREDITED = "PostbacksCredited"
    POSTBACKS_CREDITED_LATER = "PostbacksCreditedLater"
    POSTBACKS_HELD = "PostbacksHeld"
    POSTBACKS_PENDING = "PostbacksPending"
    POSTBACKS_REJECTED = "PostbacksRejected"
    POSTBACKS_REVERSED = "PostbacksReversed"
    POSTBACKS_UNMATCHED = "PostbacksUnmatched"
    POSTBACKS_IGNORED = "PostbacksIgnored"
    POSTBACKS_REPEATED = "PostbacksRepeated"
    POSTBACKS_REFUSED = "PostbacksRefused"
    POSTBACK_SIGNATURES_REJECTED = "PostbackSignaturesRejected"
    CONFLICTING_REPLAYS = "ConflictingReplays"
    POSTBACKS_QUEUED = "PostbacksQueued"
    # Beside that
    NETWORK_POSTBACKS = "NetworkPostbacks", MetricUnit.Count, "network"
    QUIET_NETWORKS = "QuietNetworks"
    LEDGER_BUSY = "LedgerBusy"

    # Conversions: when they begin, when the first money is credited for them, and by the status that they came to
    CONVERSIONS_CREATED = "ConversionsCreated"
    CONVERSIONS_CREDITED = "ConversionsCredited"
    CONVERSIONS_PENDING = "ConversionsPending"
    CONVERSIONS_APPROVED = "ConversionsApproved"
    CONVERSIONS_REJECTED = "ConversionsRejected"
    CONVERSIONS_TRASH = "ConversionsTrash"
    CONVERSIONS_REVERSED = "ConversionsReversed"

    # Money
    AMOUNT_CREDITED = "AmountCredited", MetricUnit.NoUnit, "currency"
    AMOUNT_REVERSED = "AmountReversed", MetricUnit.NoUnit, "currency"
    HELD_EARNINGS_CREDITED = "HeldEarningsCredited"
    HELD_EARNINGS_FAILED = "HeldEarningsFailed"
    REFERRAL_COMMISSIONS = "ReferralCommissions"
    REFERRAL_CREDITED = "ReferralCredited", MetricUnit.NoUnit, "currency"
    REFERRAL_REVERSED = "ReferralReversed", MetricUnit.NoUnit, "currency"

    # Deliveries
    FIRST_ATTEMPTS_DELIVERED = "FirstAttemptsDelivered"
    FIRST_ATTEMPTS_FAILED = "FirstAttemptsFailed"
    RETRIES_DELIVERED = "RetriesDelivered"
    RETRIES_FAILED = "RetriesFailed"
    DELIVERIES_HELD = "DeliveriesHeld"
    DELIVERIES_RELEASED = "DeliveriesReleased"
    DELIVERIES_SUPERSEDED = "DeliveriesSuperseded"
    DELIVERIES_PARKED = "DeliveriesParked"
    FIRST_DELIVERY_LATENCY = "FirstDeliveryLatency", MetricUnit.Milliseconds
    RETRY_AGE = "RetryAge", MetricUnit.Seconds
    OLDEST_DUE = "OldestDue", MetricUnit.Seconds
    DELIVERY_GAPS = "DeliveryGaps"
    CONVERSIONS_RECONCILED = "ConversionsReconciled"

    # Partners
    BREAKER_OPENED = "BreakerOpened"
    BREAKER_HALF_OPEN = "BreakerHalfOpen"
    BREAKER_CLOSED = "BreakerClosed"
    PARTNER_FAILING = "PartnerFailing"
    PARTNER_PAUSED = "PartnerPaused"
    PARTNER_HEALTH_FAILURES = "PartnerHealthFailures"
    PARTNER_REPLIES_APPLIED = "PartnerRepliesApplied"
    PARTNER_REPLIES_IGNORED = "PartnerRepliesIgnored"

    def __init__(self, title: str, unit: MetricUnit = MetricUnit.Count, dimension: str = "") -> None:
        self.title = title
        self.unit = unit
        self.dimension = dimension
