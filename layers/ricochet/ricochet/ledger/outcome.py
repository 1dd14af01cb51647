"""What became of a postback, a decision or a run of the schedule."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    CREDITED = "credited"
    CREDIT_LATER = "credit_later"  # approved, and credited when the product's hold days are over
    HELD = "held"  # approved by its source, and waiting for a person
    PENDING = "pending"
    APPROVED = "approved"  # a later report of a conversion that credits nobody
    REJECTED = "rejected"
    TRASH = "trash"
    REVERSED = "reversed"
    TOMBSTONE = "tombstone"  # reversed before it was reported
    UNMATCHED = "unmatched"  # credits nobody
    IGNORED = "ignored"
    ONLY_RECEIPT = "only_receipt"
    REPEAT = "repeat"
