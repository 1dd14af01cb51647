"""An earning: one signed line of a user's ledger; and the wallet that sums the credited ones up."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from ricochet.models.entity import Entity
from ricochet.models.money import Amount, Currency

NOT_FOR_APPS = {"user_id", "source_conversion_id"}
WALLET_NOT_FOR_APPS = {"user_id", "seq"}


class EarningStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class EarningType(StrEnum):
    CONVERSION = "conversion"
    REFERRAL = "referral"
    REVERSAL = "reversal"
    ADJUSTMENT = "adjustment"


class ApprovalStatus(StrEnum):
    PENDING = "pending"
    AUTO_APPROVED = "auto_approved"
    MANUAL_APPROVED = "manual_approved"
    REJECTED = "rejected"


class Earning(Entity):
    user_id: str
    earning_id: str
    type: EarningType
    amount: Amount
    currency: Currency
    status: EarningStatus
    approval_status: ApprovalStatus
    product_id: str | None = None
    offer_id: str | None = None
    click_id: str | None = None  # absent from commissions: the click is another user's
    conversion_id: str
    source_conversion_id: str | None = None
    reason: str | None = None
    earned_at: str
    credited_at: str | None = None

    def to_app(self) -> dict[str, Any]:
        shown = self.to_json(leave_out=NOT_FOR_APPS)
        always = {"productId": None, "offerId": None, "clickId": None, "creditedAt": None}
        return always | shown | {"conversionId": self.source_conversion_id or self.conversion_id}


class Wallet(Entity):
    """`balance` equals the sum of the user's completed earnings; `lifetime` never counts reversals."""

    user_id: str
    currency: Currency
    balance: Amount = Decimal(0)
    pending: Amount = Decimal(0)
    lifetime: Amount = Decimal(0)
    seq: int = 0

    def to_app(self) -> dict[str, Any]:
        return self.to_json(leave_out=WALLET_NOT_FOR_APPS)


class WalletChange(Entity):
    """What one transaction adds to a wallet."""

    user_id: str
    currency: Currency
    balance: Amount = Decimal(0)
    pending: Amount = Decimal(0)
    lifetime: Amount = Decimal(0)

    @property
    def is_needed(self) -> bool:
        return bool(self.balance or self.pending or self.lifetime)
