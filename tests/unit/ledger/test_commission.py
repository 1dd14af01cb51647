"""Referral commission follows what is credited, to the last decimal."""

from decimal import Decimal

import pytest

from ricochet.clicks.user import User
from ricochet.ledger.commission import commission_change, referrer_at_credit
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, a_conversion


def credited(amount: str, rate: str = "0.1"):
    return a_conversion(credited=amount, referral_rate=rate)


@pytest.mark.parametrize(
    ("before", "after", "commission"),
    [
        (None, "5", "0.5"),
        (None, "0", "0"),
        ("0", "5", "0.5"),
        ("5", "5", "0"),
        ("5", "0", "-0.5"),
        ("2", "5", "0.3"),
    ],
)
def test_the_commission_is_a_share_of_the_change_in_what_was_credited(before, after, commission):
    old = None if before is None else credited(before)
    assert commission_change(old, credited(after)) == Decimal(commission)


@pytest.mark.parametrize(
    ("amount", "rate", "share"),
    [
        ("0.000005", "0.1", "0"),
        ("0.000015", "0.1", "0.000002"),
        ("0.000025", "0.1", "0.000002"),
        ("1", "0.333333", "0.333333"),
    ],
)
def test_a_share_is_rounded_half_to_even_at_the_sixth_decimal(amount, rate, share):
    assert commission_change(None, credited(amount, rate)) == Decimal(share)


@pytest.mark.parametrize("amount", ["0.000013", "999999999.999999", "3.141592"])
@pytest.mark.parametrize("rate", ["0.1", "0.333333", "1", "0"])
def test_a_full_reversal_takes_back_exactly_what_was_paid(amount, rate):
    paid = commission_change(None, credited(amount, rate))
    assert paid + commission_change(credited(amount, rate), credited("0", rate)) == 0


def a_user(**changes) -> User:
    return User(**{"user_id": "user_1", "referrer_id": "user_0", "referrer_set_at": NOON} | changes)


@pytest.mark.parametrize("set_at", [NOON, IN_AN_HOUR])
def test_the_referrer_at_the_time_of_the_credit_gets_the_commission(set_at):
    assert referrer_at_credit(a_user(referrer_set_at=set_at), a_conversion(credited_at=IN_AN_HOUR)) == "user_0"


@pytest.mark.parametrize(
    ("user", "conversion"),
    [
        (None, a_conversion()),
        (a_user(referrer_id=None), a_conversion()),
        (a_user(referrer_set_at=None), a_conversion()),
        (a_user(referrer_set_at=TOMORROW), a_conversion(credited_at=IN_AN_HOUR)),
        (a_user(), a_conversion(credited_at=None)),
    ],
    ids=["unknown user", "no referrer", "no date", "named later", "never credited"],
)
def test_nobody_else_gets_a_commission(user, conversion):
    assert referrer_at_credit(user, conversion) is None
