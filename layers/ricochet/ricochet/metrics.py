"""Every metric that code counts, and that the dashboard and the alarms may name.

Outcomes and statuses are few, so they are names; there may be any number of currencies and networks, so they are
dimensions.
"""

from __future__ import annotations

from enum import Enum


class Metric(Enum):
    """Name in CloudWatch, unit, and dimension beside `service` if it has one."""

    CLICKS_CREATED = "ClicksCreated"
    VISITS = "Visits"

    # Postbacks: each counts as one of these
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
    # Besides
    NETWORK_POSTBACKS = "NetworkPostbacks", "Count", "network"
    QUIET_NETWORKS = "QuietNetworks"
    LEDGER_BUSY = "LedgerBusy"

    # Conversions: when they begin, when money is first credited for them, and each status that they reach
    CONVERSIONS_CREATED = "ConversionsCreated"
    CONVERSIONS_CREDITED = "ConversionsCredited"
    CONVERSIONS_PENDING = "ConversionsPending"
    CONVERSIONS_APPROVED = "ConversionsApproved"
    CONVERSIONS_REJECTED = "ConversionsRejected"
    CONVERSIONS_TRASH = "ConversionsTrash"
    CONVERSIONS_REVERSED = "ConversionsReversed"

    # Money
    AMOUNT_CREDITED = "AmountCredited", "None", "currency"
    AMOUNT_REVERSED = "AmountReversed", "None", "currency"
    HELD_EARNINGS_CREDITED = "HeldEarningsCredited"
    HELD_EARNINGS_FAILED = "HeldEarningsFailed"
    REFERRAL_COMMISSIONS = "ReferralCommissions"
    REFERRAL_CREDITED = "ReferralCredited", "None", "currency"
    REFERRAL_REVERSED = "ReferralReversed", "None", "currency"

    # Deliveries
    FIRST_ATTEMPTS_DELIVERED = "FirstAttemptsDelivered"
    FIRST_ATTEMPTS_FAILED = "FirstAttemptsFailed"
    RETRIES_DELIVERED = "RetriesDelivered"
    RETRIES_FAILED = "RetriesFailed"
    DELIVERIES_HELD = "DeliveriesHeld"
    DELIVERIES_RELEASED = "DeliveriesReleased"
    DELIVERIES_SUPERSEDED = "DeliveriesSuperseded"
    DELIVERIES_PARKED = "DeliveriesParked"
    FIRST_DELIVERY_LATENCY = "FirstDeliveryLatency", "Milliseconds"
    RETRY_AGE = "RetryAge", "Seconds"
    OLDEST_DUE = "OldestDue", "Seconds"
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

    def __init__(self, title: str, unit: str = "Count", dimension: str = "") -> None:
        self.title = title
        self.unit = unit
        self.dimension = dimension
