"""The words for a conversion's state, and which word may follow which.

Read TRANSITIONS beside the table in docs/statuses.md: a pair that is not in it changes nothing.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What a conversion is, whatever its source calls it."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    TRASH = "trash"
    REVERSED = "reversed"

    @property
    def lead_word(self) -> str:
        """The word that partners are sent, unless they ask for words of their own."""
        return LEAD_WORDS[self]


LEAD_WORDS = {
    Status.PENDING: "Lead",
    Status.APPROVED: "Purchase",
    Status.REJECTED: "Reject",
    Status.TRASH: "Trash",
    Status.REVERSED: "Reject",
}

# What sources write, in lower case without spaces, dashes and underscores. Numbers are never read here:
# 2 means pending at one network and reversed at another, so each preset maps its own.
WORDS = {
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
    (None, Status.REVERSED): Status.REVERSED,  # a tombstone: the sale that it reverses is still on its way
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


def parse_status(word: str) -> Status | None:
    """The canonical status that a source's word stands for; None if nobody knows the word."""
    return WORDS.get("".join(letter for letter in word.casefold() if letter not in " -_"))


def next_status(current: Status | None, reported: Status, *, allow_reapproval: bool = False) -> Status | None:
    """Where `reported` moves a conversion that is `current` (None: not known yet); None if it stays where it is."""
    move = TRANSITIONS.get((current, reported))
    if move is None and allow_reapproval:
        move = REAPPROVALS.get((current, reported)) if current else None
    return move
