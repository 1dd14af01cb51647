"""An earning: one signed line of a user's ledger. The wallet is the sum of the credited ones."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import Field, computed_field

from ricochet.values import ids
from ricochet.values.entity import Entity, PageView, Shown, View
from ricochet.values.money import Amount, Currency
from ricochet.values.statuses import ApprovalStatus, EarningStatus
from ricochet.values.times import Moment

WAITING_SHARDS = tuple(f"waiting#{number}" for number in range(4))

CREDIT_SHARDS = tuple(f"credit#{number}" for number in range(4))

HOLD_DAYS = "hold_days"
"""The reason of an approved row that waits until its product's hold days are over."""


class EarningType(StrEnum):
    CONVERSION = "conversion"
    REFERRAL = "referral"
    REVERSAL = "reversal"
    ADJUSTMENT = "adjustment"


class EarningState(Entity):
    """What may change in a row while it is pending, and the indexes that it is in until then."""

    user_id: Shown[str]
    earning_id: Shown[str]
    amount: Shown[Amount]
    status: Shown[EarningStatus]
    approval_status: Shown[ApprovalStatus]
    reason: Shown[str | None] = None
    credit_after: Shown[Moment | None] = None
    credited_at: Shown[Moment | None] = None

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
    type: Shown[EarningType]
    currency: Shown[Currency]
    product_id: Shown[str | None] = None
    offer_id: Shown[str | None] = None
    click_id: Shown[str | None] = None  # absent from commissions: the click is another user's
    conversion_id: Shown[str]
    source_conversion_id: Shown[str | None] = None
    earned_at: Shown[Moment]


class EarningView(View):
    """An earning as its user sees it."""

    earning_id: str
    amount: Amount
    status: EarningStatus
    approval_status: ApprovalStatus
    reason: str | None = None
    credit_after: Moment | None = None
    credited_at: Moment | None
    type: EarningType
    currency: Currency
    product_id: str | None
    offer_id: str | None
    click_id: str | None
    conversion_id: str  # its source's own, if it sent one
    earned_at: Moment

    @classmethod
    def of(cls, earning: Earning) -> Self:
        return cls.from_entity(earning, conversion_id=earning.source_conversion_id or earning.conversion_id)


class Earnings(PageView[EarningView]):
    items: tuple[EarningView, ...] = Field(alias="earnings")


class Wallet(Entity):
    """`balance` equals the sum of the user's completed earnings; `lifetime` does not subtract reversals."""

    user_id: str
    currency: Currency
    balance: Amount = Decimal(0)
    pending: Amount = Decimal(0)
    lifetime: Amount = Decimal(0)
    seq: int = 0


class WalletView(View):
    """A wallet as its user sees it."""

    currency: Currency
    balance: Amount
    pending: Amount
    lifetime: Amount


class Wallets(WalletView):
    """The wallet of the default currency, and those of all currencies."""

    wallets: tuple[WalletView, ...]

    @classmethod
    def of(cls, user_id: str, wallets: Iterable[Wallet], default_currency: str) -> Self:
        known = {wallet.currency: wallet for wallet in wallets}
        default = known.setdefault(default_currency, Wallet(user_id=user_id, currency=default_currency))
        return cls.from_entity(default, wallets=tuple(map(WalletView.from_entity, known.values())))


class WalletChange(Entity):
    """What one transaction adds to a wallet."""

    user_id: str
    currency: Currency
    balance: Amount = Decimal(0)
    pending: Amount = Decimal(0)
    lifetime: Amount = Decimal(0)
