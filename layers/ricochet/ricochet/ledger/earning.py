"""An earning: one signed line of a user's ledger. The wallet is the sum of the credited ones."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import computed_field

from ricochet.values import ids
from ricochet.values.entity import Entity
from ricochet.values.money import Amount, Currency
from ricochet.values.statuses import ApprovalStatus, EarningStatus

WAITING_SHARDS = tuple(f"waiting#{number}" for number in range(4))

CREDIT_SHARDS = tuple(f"credit#{number}" for number in range(4))

INDEX_FIELDS = frozenset({"waiting_shard", "credit_shard"})

HOLD_DAYS = "hold_days"
"""The reason of an approved row that waits until its product's hold days are over."""

NOT_FOR_APPS = {"user_id", "source_conversion_id", *INDEX_FIELDS}

WALLET_NOT_FOR_APPS = {"user_id", "seq"}


class EarningType(StrEnum):
    CONVERSION = "conversion"
    REFERRAL = "referral"
    REVERSAL = "reversal"
    ADJUSTMENT = "adjustment"


class EarningState(Entity):
    """What may change in a row while it is pending, and the indexes that it is in until then."""

    user_id: str
    earning_id: str
    amount: Amount
    status: EarningStatus
    approval_status: ApprovalStatus
    reason: str | None = None
    credit_after: str | None = None
    credited_at: str | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def waiting_shard(self) -> str | None:
        """The partition of the index `byWaiting`, for rows that wait for us rather than for their source."""
        return ids.pick(self.earning_id, WAITING_SHARDS) if self._is_pending and self.reason else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def credit_shard(self) -> str | None:
        """The partition of the index `byCreditAfter`."""
        return ids.pick(self.earning_id, CREDIT_SHARDS) if self._is_pending and self.credit_after else None

    @property
    def _is_pending(self) -> bool:
        return self.status is EarningStatus.PENDING


class Earning(EarningState):
    type: EarningType
    currency: Currency
    product_id: str | None = None
    offer_id: str | None = None
    click_id: str | None = None  # absent from commissions: the click is another user's
    conversion_id: str
    source_conversion_id: str | None = None
    earned_at: str

    def to_app(self) -> dict[str, Any]:
        shown = self.to_json(leave_out=NOT_FOR_APPS)
        always = {"productId": None, "offerId": None, "clickId": None, "creditedAt": None}
        return always | shown | {"conversionId": self.source_conversion_id or self.conversion_id}


class Wallet(Entity):
    """`balance` equals the sum of the user's completed earnings; `lifetime` does not subtract reversals."""

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
