"""A user's wallet compared with the ledger."""

from decimal import Decimal

from ops.user import compare, describe_difference
from ricochet.ledger.earning import Earning, EarningType, Wallet
from ricochet.values.statuses import ApprovalStatus, EarningStatus
from tests.unit.builders import NOON


def row(amount: str, status: EarningStatus = EarningStatus.COMPLETED, currency: str = "USD") -> Earning:
    return Earning(
        user_id="user_1",
        earning_id=f"EARN-{amount}",
        type=EarningType.CONVERSION,
        amount=amount,
        currency=currency,
        status=status,
        approval_status=ApprovalStatus.AUTO_APPROVED,
        conversion_id="CONV-1",
        earned_at=NOON,
    )


def wallet(balance: str, pending: str = "0", currency: str = "USD") -> Wallet:
    return Wallet(user_id="user_1", currency=currency, balance=balance, pending=pending)


def test_wallet_that_equals_the_sum_of_its_rows_agrees():
    rows = [row("5"), row("-2.5"), row("7", EarningStatus.PENDING), row("9", EarningStatus.CANCELLED)]
    (usd,) = compare([wallet("2.5", "7")], rows)
    assert usd.agrees
    assert (usd.ledger_balance, usd.ledger_pending, usd.rows) == (Decimal("2.5"), Decimal(7), 4)


def test_each_currency_is_compared_separately():
    coins, usd = compare([wallet("5"), wallet("5", currency="COINS")], [row("5"), row("6", currency="COINS")])
    assert (coins.currency, coins.agrees, usd.agrees) == ("COINS", False, True)


def test_wallet_without_rows_and_rows_without_a_wallet_differ():
    assert not compare([wallet("5")], [])[0].agrees
    assert not compare([], [row("5")])[0].agrees
    assert compare([wallet("0")], [])[0].agrees


def test_pending_amount_alone_can_differ():
    assert not compare([wallet("0", "1")], [])[0].agrees


def test_difference_is_reported_loudly_with_both_amounts():
    text = describe_difference(compare([wallet("5.5")], [row("5")])[0])
    assert "DIFFER in USD" in text
    assert "balance 5.5 against 5 (+0.5)" in text


def test_json_of_a_balance_has_the_names_of_the_api():
    shown = compare([wallet("5")], [row("5")])[0].to_json()
    assert {"currency", "balance", "pending", "lifetime", "ledgerBalance", "ledgerPending", "agrees"} < shown.keys()
