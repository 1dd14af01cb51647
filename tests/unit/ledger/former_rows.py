"""The rows of the ledger that go with a conversion, and what they add to the wallet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import (
    HOLD_DAYS,
    Earning,
    EarningState,
    EarningType,
    WalletChange,
)
from ricochet.values import ids
from ricochet.values.statuses import ApprovalStatus, EarningStatus, Status

EARNING_STATUS = {
    Status.PENDING: EarningStatus.PENDING,
    Status.APPROVED: EarningStatus.COMPLETED,
    Status.REJECTED: EarningStatus.CANCELLED,
    Status.TRASH: EarningStatus.CANCELLED,
    Status.REVERSED: EarningStatus.CANCELLED,
}

APPROVAL_STATUS = {
    Status.PENDING: ApprovalStatus.PENDING,
    Status.APPROVED: ApprovalStatus.AUTO_APPROVED,
    Status.REJECTED: ApprovalStatus.REJECTED,
    Status.TRASH: ApprovalStatus.REJECTED,
    Status.REVERSED: ApprovalStatus.REJECTED,
}


def wallet_change(conversion: Conversion, prior: Conversion | None) -> WalletChange | None:
    """What the wallet gains and loses, now that `prior` has become `conversion`; `lifetime` never shrinks."""
    credited, waiting = conversion.credited, conversion.waiting
    if prior is not None:
        credited, waiting = credited - prior.credited, waiting - prior.waiting
    if not (credited or waiting):
        return None
    return WalletChange(
        user_id=conversion.user_id or "",
        currency=conversion.currency,
        balance=credited,
        pending=waiting,
        lifetime=max(credited, Decimal(0)),
    )


def row_state(conversion: Conversion, amount: Decimal, *, by_hand: bool = False) -> EarningState:
    """What the conversion's row says, now that the conversion is what it is; `by_hand`: a person decided."""
    return EarningState(**_state(conversion, amount, by_hand=by_hand))


def new_earning_id(conversion: Conversion) -> str:
    """Of a row that is written with the conversion's present version."""
    return ids.earning_id(conversion.updated_at, conversion.conversion_id, conversion.version, len(conversion.reports))


def conversion_row(conversion: Conversion, *, by_hand: bool) -> Earning:
    return _row(conversion, EarningType.CONVERSION, _state(conversion, conversion.amount, by_hand=by_hand))


def contra_row(conversion: Conversion, back: Decimal, reason: str) -> Earning:
    """Takes `back` from what was credited in a row that stays as it is."""
    state = {
        "user_id": conversion.user_id,
        "earning_id": new_earning_id(conversion),
        "amount": -back,
        "status": EarningStatus.COMPLETED,
        "approval_status": ApprovalStatus.AUTO_APPROVED,
        "reason": reason,
        "credited_at": conversion.updated_at,
    }
    return _row(conversion, EarningType.REVERSAL, state)


def _state(conversion: Conversion, amount: Decimal, *, by_hand: bool) -> dict[str, Any]:
    is_owed = conversion.credit_after is not None
    status = EarningStatus.PENDING if is_owed else EARNING_STATUS[conversion.status]
    approval = APPROVAL_STATUS[conversion.status]
    if by_hand and approval is ApprovalStatus.AUTO_APPROVED:
        approval = ApprovalStatus.MANUAL_APPROVED
    return {
        "user_id": conversion.user_id,
        "earning_id": conversion.earning_id,
        "amount": amount,
        "status": status,
        "approval_status": approval,
        "reason": HOLD_DAYS if is_owed else conversion.hold_reason,
        "credit_after": conversion.credit_after,
        "credited_at": conversion.updated_at if status is EarningStatus.COMPLETED else None,
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
