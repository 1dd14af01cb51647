"""The statuses of conversions, earnings and clicks, which status may follow which, and what a report led to.

Read STATUSES and TRANSITIONS beside the tables in docs/statuses.md. A pair that is not in TRANSITIONS changes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Self

from ricochet.metrics import Metric


class Status(StrEnum):
    """What a conversion is, whatever its source calls it."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    TRASH = "trash"
    REVERSED = "reversed"

    @property
    def lead_word(self) -> str:
        """The status name that partners receive, unless they configure names of their own."""
        return STATUSES[self].lead_word


class EarningStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    AUTO_APPROVED = "auto_approved"
    MANUAL_APPROVED = "manual_approved"
    REJECTED = "rejected"


class ClickStatus(StrEnum):
    PENDING = "pending"
    CONVERTED = "converted"
    REJECTED = "rejected"
    EXPIRED = "expired"  # never stored: it follows from `expires_at`


class StatusRow(NamedTuple):
    """What a conversion's status means for its partners, ledger row and click, and the metric that counts it."""

    lead_word: str
    earning: EarningStatus
    approval: ApprovalStatus
    click: ClickStatus
    metric: Metric


STATUSES = {
    Status.PENDING: StatusRow(
        "Lead", EarningStatus.PENDING, ApprovalStatus.PENDING, ClickStatus.PENDING, Metric.CONVERSIONS_PENDING
    ),
    Status.APPROVED: StatusRow(
        "Purchase",
        EarningStatus.COMPLETED,
        ApprovalStatus.AUTO_APPROVED,
        ClickStatus.CONVERTED,
        Metric.CONVERSIONS_APPROVED,
    ),
    Status.REJECTED: StatusRow(
        "Reject", EarningStatus.CANCELLED, ApprovalStatus.REJECTED, ClickStatus.REJECTED, Metric.CONVERSIONS_REJECTED
    ),
    Status.TRASH: StatusRow(
        "Trash", EarningStatus.CANCELLED, ApprovalStatus.REJECTED, ClickStatus.REJECTED, Metric.CONVERSIONS_TRASH
    ),
    Status.REVERSED: StatusRow(
        "Reject", EarningStatus.CANCELLED, ApprovalStatus.REJECTED, ClickStatus.CONVERTED, Metric.CONVERSIONS_REVERSED
    ),
}


class Outcome(StrEnum):
    """The outcome of a postback or a decision: its receipt keeps it, and its metric counts it."""

    CREDITED = "credited", Metric.POSTBACKS_CREDITED
    CREDIT_LATER = "credit_later", Metric.POSTBACKS_CREDITED_LATER  # approved; credited after the hold days
    HELD = "held", Metric.POSTBACKS_HELD  # approved by its source; waits for a person
    PENDING = "pending", Metric.POSTBACKS_PENDING
    APPROVED = "approved", Metric.POSTBACKS_UNMATCHED  # a later report of a conversion that credits nobody
    REJECTED = "rejected", Metric.POSTBACKS_REJECTED
    TRASH = "trash", Metric.POSTBACKS_REJECTED
    REVERSED = "reversed", Metric.POSTBACKS_REVERSED
    TOMBSTONE = "tombstone", Metric.POSTBACKS_REVERSED  # a reversal that arrived before its sale
    UNMATCHED = "unmatched", Metric.POSTBACKS_UNMATCHED  # the first report of a conversion that credits nobody
    IGNORED = "ignored", Metric.POSTBACKS_IGNORED  # changes nothing
    ONLY_RECEIPT = "only_receipt", Metric.POSTBACKS_IGNORED  # not a conversion
    REPEAT = "repeat", Metric.POSTBACKS_REPEATED

    metric: Metric

    def __new__(cls, text: str, metric: Metric) -> Self:
        outcome = str.__new__(cls, text)
        outcome._value_ = text
        outcome.metric = metric
        return outcome


LEAD_WORDS = {status: row.lead_word for status, row in STATUSES.items()}

# What sources send, in lower case without spaces, dashes and underscores. Numbers are never read here:
# 2 means pending at one network and reversed at another, so each preset maps its own.
SOURCE_NAMES = {
    **dict.fromkeys(("lead", "hold", "wait", "new", "pending", "reviewing"), Status.PENDING),
    **dict.fromkeys(
        ("approved", "completed", "complete", "sale", "purchase", "credited", "success", "confirmed", "pass", "bill"),
        Status.APPROVED,
    ),
    "neworder": Status.APPROVED,
    **dict.fromkeys(("reject", "rejected", "declined", "cancelled", "canceled"), Status.REJECTED),
    **dict.fromkeys(("trash", "spam", "invalid", "duplicate"), Status.TRASH),
    **dict.fromkeys(("reversed", "refund", "rfnd", "chargeback", "cgbk", "insf"), Status.REVERSED),
}

TRANSITIONS = {
    (None, Status.PENDING): Status.PENDING,
    (None, Status.APPROVED): Status.APPROVED,
    (None, Status.REJECTED): Status.REJECTED,
    (None, Status.TRASH): Status.TRASH,
    (None, Status.REVERSED): Status.REVERSED,  # a tombstone: the sale that it reverses has not arrived yet
    (Status.PENDING, Status.APPROVED): Status.APPROVED,
    (Status.PENDING, Status.REJECTED): Status.REJECTED,
    (Status.PENDING, Status.TRASH): Status.TRASH,
    (Status.PENDING, Status.REVERSED): Status.REJECTED,  # refunded before anything was credited
    (Status.APPROVED, Status.REJECTED): Status.REVERSED,
    (Status.APPROVED, Status.TRASH): Status.REVERSED,
    (Status.APPROVED, Status.REVERSED): Status.REVERSED,
}

REAPPROVALS = {
    (Status.REJECTED, Status.APPROVED): Status.APPROVED,
    (Status.TRASH, Status.APPROVED): Status.APPROVED,
}


def parse_status(name: str) -> Status | None:
    """Return the status that a source's name for it stands for, None if the name is unknown."""
    return SOURCE_NAMES.get("".join(letter for letter in name.casefold() if letter not in " -_"))


def next_status(current: Status | None, reported: Status, *, allow_reapproval: bool = False) -> Status | None:
    """Return what a conversion that is `current` (None: new) becomes by `reported`, None if nothing changes."""
    move = TRANSITIONS.get((current, reported))
    if move is None and allow_reapproval and current is not None:
        move = REAPPROVALS.get((current, reported))
    return move
