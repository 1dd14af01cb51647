"""Credits referral commissions from the Conversions stream, apart from the postback that caused them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.users_table import UsersTable
from ricochet.ledger.commission import commission_change, referrer_at_credit
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import images
from ricochet.ledger.earning import Earning, EarningType, WalletChange
from ricochet.ledger.transaction import EarningExistsError, Ledger, LedgerTables
from ricochet.values import ids
from ricochet.values.statuses import ApprovalStatus, EarningStatus

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.settings import ReferralSettings


class CreditReferral:
    def __init__(self, users: UsersTable, ledger: Ledger) -> None:
        self._users = users
        self._ledger = ledger

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: ReferralSettings) -> Self:
        names = LedgerTables(earnings=settings.earnings_table, wallets=settings.wallets_table)
        return cls(UsersTable(client, settings.users_table), Ledger(client, names))

    def __call__(self, record: dict[str, Any]) -> Earning | None:
        """Return the commission credited for this record, None if there is none. A repeated record credits nothing."""
        old, new = images(record)
        amount = commission_change(old, new) if new else Decimal(0)
        if new is None or new.user_id is None or not amount:
            return None
        referrer_id = referrer_at_credit(self._users.get(new.user_id), new)
        if referrer_id is None:
            return None
        earning = _commission(new, referrer_id, amount)
        change = WalletChange(
            user_id=referrer_id, currency=new.currency, balance=amount, lifetime=max(amount, Decimal(0))
        )
        try:
            self._ledger.credit(earning, change)
        except EarningExistsError:
            return None
        return earning


def _commission(conversion: Conversion, referrer_id: str, amount: Decimal) -> Earning:
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
