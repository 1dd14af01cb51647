"""What a postback or a decision led to; a receipt keeps it, and a metric counts it."""

from __future__ import annotations

from enum import StrEnum

from ricochet.metrics import Metric


class Outcome(StrEnum):
    CREDITED = "credited"
    CREDIT_LATER = "credit_later"  # approved; credited when the product's hold days are over
    HELD = "held"  # approved by its source; waits for a person
    PENDING = "pending"
    APPROVED = "approved"  # a later report of a conversion that credits nobody
    REJECTED = "rejected"
    TRASH = "trash"
    REVERSED = "reversed"
    TOMBSTONE = "tombstone"  # a reversal that arrived before its sale
    UNMATCHED = "unmatched"  # the first report of a conversion that credits nobody
    IGNORED = "ignored"  # changes nothing
    ONLY_RECEIPT = "only_receipt"  # not a conversion
    REPEAT = "repeat"

    @property
    def metric(self) -> Metric:
        """The metric that counts postbacks with this outcome."""
        return _METRICS[self]


_METRICS = {
    Outcome.CREDITED: Metric.POSTBACKS_CREDITED,
    Outcome.CREDIT_LATER: Metric.POSTBACKS_CREDITED_LATER,
    Outcome.HELD: Metric.POSTBACKS_HELD,
    Outcome.PENDING: Metric.POSTBACKS_PENDING,
    Outcome.APPROVED: Metric.POSTBACKS_UNMATCHED,
    Outcome.REJECTED: Metric.POSTBACKS_REJECTED,
    Outcome.TRASH: Metric.POSTBACKS_REJECTED,
    Outcome.REVERSED: Metric.POSTBACKS_REVERSED,
    Outcome.TOMBSTONE: Metric.POSTBACKS_REVERSED,
    Outcome.UNMATCHED: Metric.POSTBACKS_UNMATCHED,
    Outcome.IGNORED: Metric.POSTBACKS_IGNORED,
    Outcome.ONLY_RECEIPT: Metric.POSTBACKS_IGNORED,
    Outcome.REPEAT: Metric.POSTBACKS_REPEATED,
}
