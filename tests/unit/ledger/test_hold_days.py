"""`holdDays` delays the wallet and nothing else."""

import pytest

from ricochet.ledger.commission import commission_change
from ricochet.ledger.earning import EarningType, EarningView, WalletChange
from ricochet.values.statuses import ApprovalStatus, ClickStatus, EarningStatus, Status
from tests.unit.builders import IN_AN_HOUR, NOON, InMemoryLedger, a_product, a_report

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status
IN_A_WEEK = "2026-03-08T13:00:00.000Z"
LATER = "2026-03-08T13:10:00.000Z"


def change(**deltas: int) -> WalletChange:
    return WalletChange(user_id="user_1", **{"currency": "USD"} | deltas)


@pytest.fixture
def ledger():
    return InMemoryLedger(a_product(hold_days=7))


def approve(ledger: InMemoryLedger, amount=4):
    return ledger.report(a_report(APPROVED, amount))


def test_with_hold_days_an_approved_amount_is_owed_and_not_yet_credited(ledger):
    settlement = approve(ledger)
    conversion, earning = settlement.conversion, settlement.new_earning
    assert settlement.outcome == "credit_later"
    assert (conversion.status, conversion.version, conversion.hold_reason) == (APPROVED, 1, None)
    assert (conversion.credited, conversion.credited_at) == (0, None)
    assert (conversion.owed, conversion.credit_after) == (4, IN_A_WEEK)
    assert (earning.status, earning.approval_status) == (EarningStatus.PENDING, ApprovalStatus.AUTO_APPROVED)
    assert (earning.reason, earning.credit_after, earning.credited_at) == ("hold_days", IN_A_WEEK, None)
    assert settlement.wallet_change == change(pending=4)
    assert settlement.click.status is ClickStatus.CONVERTED


def test_hold_days_begin_with_the_purchase_and_not_with_the_lead(ledger):
    ledger.report(a_report(PENDING, 4), NOON)
    settlement = approve(ledger, 3)
    assert (settlement.conversion.status, settlement.conversion.version) == (APPROVED, 2)
    assert settlement.conversion.credit_after == IN_A_WEEK
    assert (settlement.earning_change.status, settlement.earning_change.amount) == (EarningStatus.PENDING, 3)
    assert settlement.wallet_change == change(pending=-1)


def test_an_owed_amount_is_credited_when_its_hold_days_are_over(ledger):
    before = approve(ledger).conversion
    settlement = ledger.release(before.conversion_id, LATER)
    conversion, row = settlement.conversion, settlement.earning_change
    assert (settlement.outcome, conversion.status, conversion.version) == ("credited", APPROVED, 1)
    assert (conversion.credited, conversion.credited_at, conversion.updated_at) == (4, LATER, LATER)
    assert (conversion.owed, conversion.credit_after) == (0, None)
    assert (row.status, row.approval_status) == (EarningStatus.COMPLETED, ApprovalStatus.AUTO_APPROVED)
    assert (row.amount, row.reason, row.credit_after, row.credited_at) == (4, None, None, LATER)
    assert settlement.wallet_change == change(balance=4, lifetime=4, pending=-4)
    assert commission_change(before, conversion) == conversion.credited * conversion.referral_rate > 0


@pytest.mark.parametrize("status", [REVERSED, REJECTED, TRASH])
def test_a_reversal_of_an_owed_amount_cancels_the_row_without_a_credit(ledger, status):
    before = approve(ledger).conversion
    settlement = ledger.report(a_report(status))
    conversion, row = settlement.conversion, settlement.earning_change
    assert (settlement.outcome, settlement.new_earning) == ("reversed", None)
    assert (conversion.status, conversion.version) == (REVERSED, 2)
    assert (conversion.owed, conversion.credit_after, conversion.credited_at) == (0, None, None)
    assert (row.status, row.approval_status, row.amount) == (EarningStatus.CANCELLED, ApprovalStatus.REJECTED, 4)
    assert (row.credit_after, row.credited_at) == (None, None)
    assert settlement.wallet_change == change(pending=-4)
    assert settlement.click.outcome.status is REVERSED
    assert commission_change(before, conversion) == 0


def test_a_partial_reversal_of_an_owed_amount_leaves_less_to_credit(ledger):
    conversion_id = approve(ledger).conversion.conversion_id
    settlement = ledger.report(a_report(REVERSED, 1))
    assert (settlement.conversion.status, settlement.conversion.version) == (APPROVED, 1)
    assert (settlement.conversion.owed, settlement.conversion.credit_after) == (3, IN_A_WEEK)
    assert (settlement.earning_change.status, settlement.earning_change.amount) == (EarningStatus.PENDING, 3)
    assert settlement.wallet_change == change(pending=-1)
    assert ledger.report(a_report(REVERSED, 1)).is_repeat
    ledger.release(conversion_id, LATER)
    assert (ledger.balance["USD"], ledger.pending["USD"], ledger.lifetime["USD"]) == (3, 0, 3)


def test_a_reversal_after_the_credit_is_a_row_of_its_own(ledger):
    ledger.release(approve(ledger).conversion.conversion_id, LATER)
    settlement = ledger.report(a_report(REVERSED))
    assert (settlement.new_earning.type, settlement.new_earning.amount) == (EarningType.REVERSAL, -4)
    assert (ledger.balance["USD"], ledger.pending["USD"], ledger.lifetime["USD"]) == (0, 0, 4)


def test_an_amount_of_zero_is_owed_like_any_other():
    ledger = InMemoryLedger(a_product(hold_days=1))
    settlement = approve(ledger, 0)
    assert (settlement.conversion.credit_after, settlement.wallet_change) == ("2026-03-02T13:00:00.000Z", None)
    ledger.release(settlement.conversion.conversion_id, LATER)
    assert [row.status for row in ledger.rows.values()] == [EarningStatus.COMPLETED]


def test_an_operator_can_credit_an_owed_amount_at_once(ledger):
    conversion_id = approve(ledger).conversion.conversion_id
    row = ledger.decide_on_earning(conversion_id, APPROVED).earning_change
    assert (row.status, row.approval_status) == (EarningStatus.COMPLETED, ApprovalStatus.MANUAL_APPROVED)
    assert (ledger.balance["USD"], ledger.pending["USD"]) == (4, 0)


def test_an_operator_can_reject_an_owed_amount(ledger):
    conversion_id = approve(ledger).conversion.conversion_id
    settlement = ledger.decide_on_earning(conversion_id, REJECTED)
    assert (settlement.conversion.status, settlement.conversion.changed_by) == (REVERSED, "operator:op_1")
    assert (ledger.balance["USD"], ledger.pending["USD"], ledger.lifetime["USD"]) == (0, 0, 0)


def test_an_owed_row_is_in_both_indexes_and_a_credited_one_in_none(ledger):
    settlement = approve(ledger)
    waiting = settlement.new_earning.to_item()
    assert waiting["waitingShard"].startswith("waiting#")
    assert waiting["creditShard"].startswith("credit#")
    settled = ledger.release(settlement.conversion.conversion_id, IN_AN_HOUR).earning_change.to_item()
    credited = InMemoryLedger().report(a_report(APPROVED)).new_earning.to_item()
    for item in (settled, credited):
        assert {"waitingShard", "creditShard", "creditAfter"}.isdisjoint(item)


def test_users_see_when_a_row_will_be_credited_and_no_index_attributes(ledger):
    shown = EarningView.of(approve(ledger).new_earning).to_json()
    assert (shown["status"], shown["reason"], shown["creditAfter"]) == ("pending", "hold_days", IN_A_WEEK)
    assert {"waitingShard", "creditShard"}.isdisjoint(shown)
