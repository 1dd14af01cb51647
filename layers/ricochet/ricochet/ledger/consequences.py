"""What follows from a conversion's change: its ledger rows, the wallet, the click and the caps' counters.

Each function compares the conversion before and after. What a person decided, and whose click it is, stands in the
terms. Nothing here decides a status.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

from ricochet.clicks.click import ClickResult
from ricochet.ledger import caps
from ricochet.ledger.caps import Count
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import HOLD_DAYS, Earning, EarningState, EarningType, WalletChange
from ricochet.ledger.terms import Terms
from ricochet.values import ids
from ricochet.values.statuses import STATUSES, ApprovalStatus, ClickStatus, EarningStatus, Status


class ClickCondition(Enum):
    """The state that a click must still have when the change is written."""

    OPEN = "pending, not closed and not expired"
    UNEXPIRED = "not expired"
    UNCHANGED = "in the status that the decision was based on"
    EXISTS = "there"


@dataclass(frozen=True)
class ClickChange:
    click_id: str
    status: ClickStatus
    outcome: ClickResult
    closed: bool
    condition: ClickCondition
    seen: ClickStatus


def new_row(before: Conversion | None, after: Conversion, terms: Terms, reason: str) -> Earning | None:
    """Return the row that the change adds: the conversion's own, or the contra row of a reversal."""
    if after.earning_id != (before.earning_id if before else None):
        return _row(after, EarningType.CONVERSION, _state(after, after.amount, terms))
    if before is not None and _takes_back_credit(before, after):
        return _row(after, EarningType.REVERSAL, _contra_state(before, after, reason))
    return None


def row_change(before: Conversion | None, after: Conversion, terms: Terms) -> EarningState | None:
    """Return the new state of the conversion's own row. Only a pending row changes, a credited one never does."""
    if before is None or before.earning_id != after.earning_id:
        return None
    is_owed = before.credit_after is not None
    if before.status is not Status.PENDING and not is_owed:
        return None
    is_over = after.credit_after is None  # credited by now, or taken back: the row keeps the amount that it had
    amount = after.amount if not is_owed else before.owed if is_over else after.owed
    return EarningState(**_state(after, amount, terms))


def wallet_change(before: Conversion | None, after: Conversion) -> WalletChange | None:
    """Return what the wallet gains and loses; `lifetime` never shrinks."""
    credited, waiting = after.credited, after.waiting
    if before is not None:
        credited, waiting = credited - before.credited, waiting - before.waiting
    if not (credited or waiting):
        return None
    return WalletChange(
        user_id=after.user_id or "",
        currency=after.currency,
        balance=credited,
        pending=waiting,
        lifetime=max(credited, Decimal(0)),
    )


def click_change(before: Conversion | None, after: Conversion, terms: Terms) -> ClickChange | None:
    click = terms.click
    if click is None:
        return None
    is_paid = click.status is ClickStatus.CONVERTED
    result = click_result(after)
    if is_paid and not terms.allows_many_conversions and click.outcome and not _replaces(after, click.outcome):
        result = click.outcome  # a click that was paid keeps the conversion that it was paid for
    return ClickChange(
        click_id=click.click_id,
        status=ClickStatus.CONVERTED if is_paid else STATUSES[after.status].click,
        outcome=result,
        closed=after.hold_reason is not None or terms.one_open_conversion,
        condition=_click_condition(before, after, terms),
        seen=click.status,
    )


def click_result(conversion: Conversion) -> ClickResult:
    """Return what the click keeps of its conversion, so that a repeat is answered from the click alone."""
    return ClickResult.from_entity(conversion, report_key=conversion.reports[-1])


def counts(before: Conversion | None, after: Conversion, terms: Terms) -> tuple[Count, ...]:
    """Return what the caps count: a conversion counts once it is approved, and still counts when it is reversed."""
    was_approved = before is not None and before.status is Status.APPROVED
    if terms.product is None or was_approved or after.status is not Status.APPROVED:
        return ()
    return tuple(caps.counts(terms.product, after.user_id or "", after.updated_at, enforced=not terms.is_reviewed))


def new_earning_id(conversion: Conversion) -> str:
    """Return the id of a row that is written with the conversion's present version."""
    return ids.earning_id(conversion.updated_at, conversion.conversion_id, conversion.version, len(conversion.reports))


def _takes_back_credit(before: Conversion, after: Conversion) -> bool:
    was_credited = before.status is Status.APPROVED and before.credit_after is None
    return was_credited and (after.status is Status.REVERSED or after.credited < before.credited)


def _click_condition(before: Conversion | None, after: Conversion, terms: Terms) -> ClickCondition:
    if before is not None and not before.is_tombstone:
        return ClickCondition.UNCHANGED
    if after.is_rebill:
        return ClickCondition.EXISTS
    return ClickCondition.UNEXPIRED if terms.allows_many_conversions else ClickCondition.OPEN


def _replaces(conversion: Conversion, result: ClickResult) -> bool:
    """Whether the click now leads to this conversion: it is the same one, or another that was approved."""
    was_approved = conversion.status is Status.APPROVED or conversion.credited_at is not None
    return was_approved or conversion.conversion_id == result.conversion_id


def _state(conversion: Conversion, amount: Decimal, terms: Terms) -> dict[str, Any]:
    is_owed = conversion.credit_after is not None
    row = STATUSES[conversion.status]
    status = EarningStatus.PENDING if is_owed else row.earning
    by_hand = terms.is_reviewed and row.approval is ApprovalStatus.AUTO_APPROVED
    return {
        "user_id": conversion.user_id,
        "earning_id": conversion.earning_id,
        "amount": amount,
        "status": status,
        "approval_status": ApprovalStatus.MANUAL_APPROVED if by_hand else row.approval,
        "reason": HOLD_DAYS if is_owed else conversion.hold_reason,
        "credit_after": conversion.credit_after,
        "credited_at": conversion.updated_at if status is EarningStatus.COMPLETED else None,
    }


def _contra_state(before: Conversion, after: Conversion, reason: str) -> dict[str, Any]:
    """Of a row that takes back what was credited in a row that stays as it is."""
    return {
        "user_id": after.user_id,
        "earning_id": new_earning_id(after),
        "amount": after.credited - before.credited,
        "status": EarningStatus.COMPLETED,
        "approval_status": ApprovalStatus.AUTO_APPROVED,
        "reason": reason,
        "credited_at": after.updated_at,
    }


def _row(conversion: Conversion, kind: EarningType, state: dict[str, Any]) -> Earning:
    return Earning(
        **state,
        type=kind,
        currency=conversion.currency,
        product_id=conversion.product_id,
        offer_id=conversion.offer_id,
        click_id=conversion.click_id,
        conversion_id=conversion.conversion_id,
        source_conversion_id=conversion.source_conversion_id,
        earned_at=conversion.updated_at,
    )
