"""Credits referral commissions from the Conversions stream, apart from the postback that caused them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.users_table import UsersTable
from ricochet.ledger.commission import commission_change, referrer_at_credit
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import images
from ricochet.ledger.earning import Earning, EarningType, WalletChange
from ricochet.ledger.transaction import EarningExistsError, Ledger, LedgerTables
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement, money_moved
from ricochet.values import ids
from ricochet.values.statuses import ApprovalStatus, EarningStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import ReferralSettings


@dataclass(frozen=True)
class Commission:
    """A referrer's earning from one change of a conversion; negative when credited money was taken back."""

    earning: Earning

    def log_lines(self) -> Iterator[LogLine]:
        earning = self.earning
        yield LogLine("commission", {"conversion_id": earning.conversion_id, "earning_id": earning.earning_id})

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.REFERRAL_COMMISSIONS)
        earning = self.earning
        yield from money_moved(earning.amount, earning.currency, Metric.REFERRAL_CREDITED, Metric.REFERRAL_REVERSED)


@dataclass(frozen=True)
class CreditReferral:
    users: UsersTable
    ledger: Ledger

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: ReferralSettings) -> Self:
        names = LedgerTables(earnings=settings.earnings_table, wallets=settings.wallets_table)
        return cls(UsersTable(client, settings.users_table), Ledger(client, names))

    def __call__(self, record: dict[str, Any]) -> Commission | None:
        """Credit and return the commission for this record; None if there is none, or it was credited before."""
        old, new = images(record)
        amount = commission_change(old, new) if new else Decimal(0)
        if new is None or new.user_id is None or not amount:
            return None
        referrer_id = referrer_at_credit(self.users.get(new.user_id), new)
        if referrer_id is None:
            return None
        earning = _earning(new, referrer_id, amount)
        change = WalletChange(
            user_id=referrer_id, currency=new.currency, balance=amount, lifetime=max(amount, Decimal(0))
        )
        try:
            self.ledger.credit(earning, change)
        except EarningExistsError:
            return None
        return Commission(earning)


def _earning(conversion: Conversion, referrer_id: str, amount: Decimal) -> Earning:
    """Its key follows from the conversion's version alone, so a redelivered record finds the row."""
    return Earning(
        user_id=referrer_id,
        earning_id=ids.earning_id(conversion.updated_at, conversion.conversion_id, conversion.version, "referral"),
        type=EarningType.REFERRAL,
        amount=amount,
        currency=conversion.currency,
        status=EarningStatus.COMPLETED,
        approval_status=ApprovalStatus.AUTO_APPROVED,
        product_id=conversion.product_id,
        offer_id=conversion.offer_id,
        conversion_id=conversion.conversion_id,
        earned_at=conversion.updated_at,
        credited_at=conversion.updated_at,
    )
