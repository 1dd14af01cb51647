"""Conversions over a cap, or too soon after the click, are held for review."""

import pytest

from ricochet.clicks.product import Approval, Caps
from ricochet.ledger.caps import counts
from ricochet.ledger.conversion import HoldReason
from ricochet.values.statuses import EarningStatus, Status
from tests.unit.builders import CLICK_ID, NOON, InMemoryLedger, a_click, a_product, a_report

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status


def capped(product=None, **caps) -> InMemoryLedger:
    return InMemoryLedger(a_product(multiple_conversions=True, caps=Caps(**caps), **product or {}))


def report(ledger: InMemoryLedger, number: int, status=APPROVED, moment="2026-03-01T13:00:00.000Z", **changes):
    return ledger.report(a_report(status, 1, transaction_id=f"T-{number}", **changes), moment)


def test_a_product_without_caps_counts_nothing():
    assert InMemoryLedger().report(a_report(APPROVED)).counts == ()


@pytest.mark.parametrize(
    ("cap", "reason"),
    [
        ("per_user", HoldReason.OVER_USER_CAP),
        ("per_user_per_day", HoldReason.OVER_USER_DAILY_CAP),
        ("per_day", HoldReason.OVER_DAILY_CAP),
    ],
)
def test_a_conversion_over_the_cap_is_held_and_not_lost(cap, reason):
    ledger = capped(**{cap: 2})
    outcomes = [report(ledger, number).outcome for number in range(3)]
    assert outcomes == ["credited", "credited", "held"]
    (held,) = [row for row in ledger.rows.values() if row.status is EarningStatus.PENDING]
    assert (held.reason, held.amount) == (reason, 1)
    assert (ledger.balance["USD"], ledger.pending["USD"]) == (2, 1)
    assert ledger.click.closed


def test_the_daily_cap_starts_again_the_next_day():
    ledger = capped(per_day=1, per_user_per_day=1)
    assert report(ledger, 1, moment="2026-03-01T23:59:59.999Z").outcome == "credited"
    assert report(ledger, 2, moment="2026-03-01T23:59:59.999Z").outcome == "held"
    assert report(ledger, 3, moment="2026-03-02T00:00:00.000Z").outcome == "credited"


def test_days_users_and_products_have_separate_counters_and_days_expire():
    product = a_product(caps=Caps(per_user=1, per_user_per_day=1, per_day=1))
    other = product.with_changes(product_id="prod_2")
    found = [
        count
        for args in ((product, "u", NOON), (other, "u", NOON), (product, "v", NOON), (product, "u", "2026-03-02"))
        for count in counts(*args, enforced=True)
    ]
    ids = [count.counter_id for count in found]
    assert len(ids) == 12
    # Of the product, its day and its user: each user and product once, two days each.
    assert len(set(ids)) == 3 + 3 + 2 + 2
    assert {count.ttl is None for count in found if count.reason is HoldReason.OVER_USER_CAP} == {True}
    assert {count.ttl is None for count in found if count.reason is not HoldReason.OVER_USER_CAP} == {False}


@pytest.mark.parametrize("status", [PENDING, REJECTED, TRASH, REVERSED])
def test_a_conversion_without_money_does_not_count_towards_caps(status):
    ledger = capped(per_user=1)
    report(ledger, 1, status)
    assert report(ledger, 2).outcome == "credited"


def test_a_lead_counts_when_it_becomes_a_purchase():
    ledger = capped(per_user=1)
    report(ledger, 1, PENDING)
    assert report(ledger, 1).outcome == "credited"
    assert report(ledger, 2).outcome == "held"


def test_a_reversed_conversion_still_counts():
    ledger = capped(per_user=1)
    report(ledger, 1)
    report(ledger, 1, REVERSED)
    assert report(ledger, 2).outcome == "held"


def test_a_held_conversion_counts_when_it_is_approved():
    ledger = capped({"approval": Approval.MANUAL}, per_user=5)
    held = report(ledger, 1)
    assert (held.outcome, held.counts) == ("held", ())
    assert [count.limit for count in ledger.decide(held.conversion.conversion_id, APPROVED).counts] == [None]


def test_an_operator_may_exceed_the_cap_and_it_counts():
    ledger = capped(per_user=1)
    report(ledger, 1)
    over = report(ledger, 2)
    assert ledger.decide(over.conversion.conversion_id, APPROVED).outcome == "credited"
    assert set(ledger.counters.values()) == {2}
    assert ledger.balance["USD"] == 2


def test_a_repeated_report_does_not_credit_a_held_conversion():
    ledger = capped(per_user=1)
    report(ledger, 1)
    report(ledger, 2)
    assert report(ledger, 2).is_repeat
    assert ledger.balance["USD"] == 1


def test_an_owed_conversion_counts_like_a_credited_one():
    ledger = capped({"hold_days": 3}, per_user=1)
    assert [report(ledger, number).outcome for number in (1, 2)] == ["credit_later", "held"]


@pytest.mark.parametrize(
    ("received_at", "outcome"),
    [("2026-03-01T12:00:29.999Z", "held"), ("2026-03-01T12:00:30.000Z", "credited")],
)
def test_a_conversion_too_soon_after_the_click_is_held(received_at, outcome):
    ledger = capped(min_seconds=30)
    settlement = report(ledger, 1, received_at=received_at)
    assert settlement.outcome == outcome
    assert settlement.conversion.hold_reason == (HoldReason.TOO_FAST if outcome == "held" else None)


def test_a_lead_may_arrive_at_once():
    assert report(capped(min_seconds=30), 1, PENDING, received_at=NOON).outcome == "pending"


def test_min_seconds_count_from_the_click():
    ledger = InMemoryLedger(a_product(caps=Caps(min_seconds=30)), a_click(created_at="2026-03-01T13:00:00.000Z"))
    assert ledger.report(a_report(APPROVED, click_id=CLICK_ID)).outcome == "held"
