"""Stream records become commissions, once each."""

from decimal import Decimal

import pytest

from ricochet.clicks.user import User
from ricochet.dynamodb.wire import to_wire
from ricochet.ledger.credit_referrals import CreditReferral
from ricochet.ledger.earning import EarningType, WalletChange
from ricochet.ledger.transaction import EarningExistsError
from ricochet.values.statuses import EarningStatus, Status
from tests.unit.builders import NOON, a_conversion


class Ledger:
    def __init__(self):
        self.rows, self.changes = {}, []

    def credit(self, earning, change):
        if earning.earning_id in self.rows:
            raise EarningExistsError("there already")
        self.rows[earning.earning_id] = earning
        self.changes.append(change)


class Users:
    def get(self, user_id):
        return User(user_id=user_id, referrer_id="user_0", referrer_set_at=NOON) if user_id == "user_1" else None


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def credit(ledger):
    return CreditReferral(Users(), ledger)


def a_record(old, new) -> dict:
    images = {"OldImage": old, "NewImage": new}
    return {"dynamodb": {name: to_wire(image.to_item()) for name, image in images.items() if image}}


CREDITED = a_conversion(credited=5, amount=5)
REVERSED = CREDITED.with_changes(
    credited=Decimal(0), status=Status.REVERSED, version=2, updated_at="2026-03-01T14:00:00.000Z"
)


def test_the_referrer_gets_a_share_of_a_credit(credit, ledger):
    earning = credit(a_record(None, CREDITED)).earning
    assert (earning.user_id, earning.type, earning.amount) == ("user_0", EarningType.REFERRAL, Decimal("0.5"))
    assert (earning.status, earning.click_id, earning.conversion_id) == (EarningStatus.COMPLETED, None, "CONV-1")
    assert ledger.changes == [WalletChange(user_id="user_0", currency="USD", balance="0.5", lifetime="0.5")]


def test_a_repeated_record_credits_nothing_more(credit, ledger):
    record = a_record(None, CREDITED)
    assert credit(record)
    assert credit(record) is None
    assert len(ledger.rows) == 1


def test_a_reversal_takes_back_the_same_commission(credit, ledger):
    credit(a_record(None, CREDITED))
    earning = credit(a_record(CREDITED, REVERSED)).earning
    assert (earning.amount, len(ledger.rows)) == (Decimal("-0.5"), 2)
    assert ledger.changes[1] == WalletChange(user_id="user_0", currency="USD", balance="-0.5")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, CREDITED.with_changes(credited=Decimal(0))),
        (CREDITED, CREDITED.with_changes(version=2)),
        (None, CREDITED.with_changes(user_id="user_9")),
        (None, CREDITED.with_changes(referral_rate=Decimal(0))),
        (CREDITED, None),
    ],
    ids=["held", "nothing moved", "nobody's friend", "no commission", "deleted"],
)
def test_other_records_credit_nothing(credit, ledger, old, new):
    assert credit(a_record(old, new)) is None
    assert ledger.rows == {}
