"""After any reports in any order the wallet is the sum of the ledger, and settled rows never change."""

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
from tests.unit.builders import IN_AN_HOUR, NOON, InMemoryLedger, a_product, a_report

AMOUNTS = [None, "0", "0.000001", "1.37", "5", "5.000001", "400"]
CURRENCIES = [None, None, None, "USD", "COINS"]


def random_ledger(seed: int) -> tuple[InMemoryLedger, random.Random]:
    dice = random.Random(seed)
    product = a_product(
        multiple_conversions=dice.random() < 0.5,
        approval=dice.choice([None, None, None, Approval.MANUAL]),
        hold_days=dice.choice([0, 0, 7]),
        caps=Caps(per_user=dice.choice([None, None, 1]), min_seconds=dice.choice([None, None, 60])),
    )
    return InMemoryLedger(product), dice


def random_report(dice: random.Random):
    return a_report(
        dice.choice(list(Status)),
        dice.choice(AMOUNTS),
        transaction_id=dice.choice(["T-1", "T-1", "T-2", None]),
        currency=dice.choice(CURRENCIES),
        received_at=dice.choice([NOON, IN_AN_HOUR, IN_AN_HOUR]),
    )


def random_step(ledger: InMemoryLedger, dice: random.Random) -> tuple[Conversion | None, Settlement]:
    """Report, decide or credit as the schedule would; return the conversion before that, and the settlement."""
    known = sorted(ledger.conversions)
    if not known or dice.random() < 0.7:
        report = random_report(dice)
        return ledger.conversions.get(report.conversion_id), ledger.report(report)
    before = ledger.conversions[dice.choice(known)]
    if before.credit_after is not None and dice.random() < 0.5:
        return before, ledger.release(before.conversion_id, before.credit_after)
    decide = dice.choice([ledger.decide, ledger.decide_on_earning])
    return before, decide(before.conversion_id, dice.choice(list(Status)[1:]))


@pytest.mark.parametrize("seed", range(300))
def test_wallet_equals_the_sum_of_rows_after_any_reports(seed):
    ledger, dice = random_ledger(seed)
    commission = Decimal(0)
    for _ in range(14):
        with contextlib.suppress(RequestError):
            before, settlement = random_step(ledger, dice)
            after = settlement.conversion
            moved = before is None or after.status is not before.status
            assert after.version == (1 if before is None else before.version + moved)
            assert [past.version for past in after.versions] == list(range(1, after.version))
            commission += commission_change(before, after)
        known = list(ledger.conversions.values())
        for currency in {*ledger.balance, *ledger.pending, *ledger.lifetime}:
            assert ledger.balance[currency] == ledger.sum_of_rows(EarningStatus.COMPLETED)[currency]
            assert ledger.pending[currency] == ledger.sum_of_rows(EarningStatus.PENDING)[currency]
            assert ledger.balance[currency] == sum(one.credited for one in known if one.currency == currency)
            assert ledger.pending[currency] == sum(one.waiting for one in known if one.currency == currency)
            assert ledger.lifetime[currency] == sum(
                row.amount
                for row in ledger.rows.values()
                if (row.currency, row.status, row.type) == (currency, EarningStatus.COMPLETED, EarningType.CONVERSION)
            )
        assert commission == sum(one.credited * one.referral_rate for one in known).quantize(Decimal("0.000001"))


def test_random_stories_reach_every_outcome():
    ends = set()
    for seed in range(300):
        ledger, dice = random_ledger(seed)
        for _ in range(14):
            try:
                ends.add(random_step(ledger, dice)[1].outcome)
            except RequestError as refusal:
                ends.add(refusal.code)
    assert ends == {
        *("credited", "credit_later", "held", "pending", "rejected", "trash", "reversed", "tombstone"),
        *("ignored", "repeat", "CLICK_ALREADY_CONVERTED", "CONFLICTING_REPLAY"),
        *("STATUS_NOT_POSSIBLE", "EARNING_NOT_WAITING"),
    }
