"""Whatever is reported in whatever order: the wallet is the sum of the ledger, and what is settled stays so."""

import contextlib
import random
from decimal import Decimal

import pytest

from ricochet.clicks.product import Approval, Caps
from ricochet.errors import RequestError
from ricochet.ledger.commission import commission_change
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import EarningType
from ricochet.ledger.settlement import Settlement
from ricochet.values.statuses import EarningStatus, Status
from tests.unit.builders import IN_AN_HOUR, NOON, Books, a_product, a_report

AMOUNTS = [None, "0", "0.000001", "1.37", "5", "5.000001", "400"]
CURRENCIES = [None, None, None, "USD", "COINS"]


def random_books(seed: int) -> tuple[Books, random.Random]:
    dice = random.Random(seed)
    product = a_product(
        multiple_conversions=dice.random() < 0.5,
        approval=dice.choice([None, None, None, Approval.MANUAL]),
        hold_days=dice.choice([0, 0, 7]),
        caps=Caps(per_user=dice.choice([None, None, 1]), min_seconds=dice.choice([None, None, 60])),
    )
    return Books(product), dice


def random_report(dice: random.Random):
    return a_report(
        dice.choice(list(Status)),
        dice.choice(AMOUNTS),
        transaction_id=dice.choice(["T-1", "T-1", "T-2", None]),
        currency=dice.choice(CURRENCIES),
        received_at=dice.choice([NOON, IN_AN_HOUR, IN_AN_HOUR]),
    )


def random_step(books: Books, dice: random.Random) -> tuple[Conversion | None, Settlement]:
    """A report, a decision of an operator, or a run of the schedule; and what the conversion was before it."""
    known = sorted(books.conversions)
    if not known or dice.random() < 0.7:
        report = random_report(dice)
        return books.conversions.get(report.conversion_id), books.tell(report)
    before = books.conversions[dice.choice(known)]
    if before.credit_after is not None and dice.random() < 0.5:
        return before, books.release(before.conversion_id, before.credit_after)
    decide = dice.choice([books.decide, books.decide_on_earning])
    return before, decide(before.conversion_id, dice.choice(list(Status)[1:]))


@pytest.mark.parametrize("seed", range(300))
def test_wallet_equals_the_sum_of_rows_after_any_reports(seed):
    books, dice = random_books(seed)
    commission = Decimal(0)
    for _ in range(14):
        with contextlib.suppress(RequestError):
            before, settlement = random_step(books, dice)
            after = settlement.conversion
            moved = before is None or after.status is not before.status
            assert after.version == (1 if before is None else before.version + moved)
            assert [past.version for past in after.versions] == list(range(1, after.version))
            commission += commission_change(before, after)
        known = list(books.conversions.values())
        for currency in {*books.balance, *books.pending, *books.lifetime}:
            assert books.balance[currency] == books.sum_of_rows(EarningStatus.COMPLETED)[currency]
            assert books.pending[currency] == books.sum_of_rows(EarningStatus.PENDING)[currency]
            assert books.balance[currency] == sum(one.credited for one in known if one.currency == currency)
            assert books.pending[currency] == sum(one.waiting for one in known if one.currency == currency)
            assert books.lifetime[currency] == sum(
                row.amount
                for row in books.rows.values()
                if (row.currency, row.status, row.type) == (currency, EarningStatus.COMPLETED, EarningType.CONVERSION)
            )
        assert commission == sum(one.credited * one.referral_rate for one in known).quantize(Decimal("0.000001"))


def test_random_stories_reach_every_outcome():
    ends = set()
    for seed in range(300):
        books, dice = random_books(seed)
        for _ in range(14):
            try:
                ends.add(random_step(books, dice)[1].outcome)
            except RequestError as refusal:
                ends.add(refusal.code)
    assert ends == {
        *("credited", "credit_later", "held", "pending", "rejected", "trash", "reversed", "tombstone"),
        *("ignored", "repeat", "CLICK_ALREADY_CONVERTED", "CONFLICTING_REPLAY"),
        *("STATUS_NOT_POSSIBLE", "EARNING_NOT_WAITING"),
    }
