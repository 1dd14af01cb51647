"""The heart as it was and as it is, side by side: the same settlement for every story, on every kind of terms."""

import random
from dataclasses import replace

import pytest

from ricochet.clicks.product import Caps
from ricochet.errors import RequestError
from ricochet.ledger import settlement as present
from ricochet.ledger.conversion import HoldReason
from ricochet.ledger.terms import Terms
from ricochet.values import times
from ricochet.values.statuses import ClickStatus, Status
from tests.unit.builders import IN_AN_HOUR, NOON, RATE, a_click, a_product, a_report
from tests.unit.ledger import former_settlement as former


def some_terms(dice, click):
    product = a_product(
        multiple_conversions=dice.random() < 0.4,
        hold_days=dice.choice([0, 0, 7]),
        caps=Caps(per_user=dice.choice([None, 2]), min_seconds=dice.choice([None, 60])),
    )
    known = dice.random() < 0.8
    return Terms(
        currency="USD",
        referral_rate=RATE,
        user_id="user_1" if known else dice.choice([None, "user_2"]),
        click=click if known else None,
        product=product if known else None,
        needs_approval=dice.random() < 0.2,
        allow_reapproval=dice.random() < 0.5,
        one_open_conversion=dice.random() < 0.2,
        is_reviewed=dice.random() < 0.2,
        cap_reached=dice.choice([None, None, None, HoldReason.OVER_USER_CAP]),
    )


def some_report(dice):
    return a_report(
        dice.choice(list(Status)),
        dice.choice([None, "0", "0.000001", "1.37", "5", "5", "400"]),
        transaction_id=dice.choice(["T-1", "T-1", "T-2"]),
        currency=dice.choice([None, None, "USD", "COINS"]),
        payout=dice.choice([None, None, 3]),
        user_id=dice.choice([None, None, None, "user_1", "user_2"]),
        is_rebill=dice.random() < 0.2,
        changed_by=dice.choice([None, None, "operator:op_1", "partner:part_1"]),
        received_at=dice.choice([NOON, IN_AN_HOUR, "2030-01-01T00:00:00.000Z"]),
    )


def result_of(function, *arguments):
    try:
        return function(*arguments)
    except RequestError as error:
        return type(error), error.message


@pytest.mark.parametrize("seed", range(400))
def test_both_hearts_settle_alike(seed):
    dice, click, conversions, moment = random.Random(seed), a_click(), {}, IN_AN_HOUR
    steady = some_terms(dice, click) if dice.random() < 0.5 else None
    for _ in range(25):
        moment = times.plus(moment, milliseconds=dice.choice([-1, 0, 1, 1000]))
        owed = [one for one in conversions.values() if one.credit_after is not None]
        if owed and dice.random() < 0.2:
            prior, by_hand = dice.choice(owed), dice.random() < 0.5
            now = present.credit_owed(prior, moment, by_hand=by_hand)
            assert now == former.credit_owed(prior, moment, by_hand=by_hand)
        else:
            terms = replace(steady, click=click) if steady and steady.click else steady or some_terms(dice, click)
            report = some_report(dice)
            prior = conversions.get(report.conversion_id)
            now = result_of(present.settle, report, terms, prior, moment)
            assert now == result_of(former.settle, report, terms, prior, moment)
            if isinstance(now, tuple):
                continue
        conversions[now.conversion.conversion_id] = now.conversion
        if now.click:
            click = click.with_changes(
                status=ClickStatus(now.click.status), outcome=now.click.outcome, closed=now.click.closed or None
            )
