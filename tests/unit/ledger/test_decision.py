"""Which decisions an operator may make, and how they change the money."""

import pytest

from ricochet.clicks.product import Approval, Caps
from ricochet.errors import ClickAlreadyConvertedError, EarningNotWaitingError, StatusNotPossibleError
from ricochet.ledger.decision import check_status, check_waiting
from ricochet.ledger.earning import EarningType
from ricochet.values.statuses import ApprovalStatus, ClickStatus, EarningStatus, Status
from tests.unit.builders import NOON, InMemoryLedger, a_conversion, a_product, a_report
from tests.unit.ledger.test_settlement_stories import LenientLedger

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status
POSSIBLE = {
    (PENDING, APPROVED),
    (PENDING, REJECTED),
    (PENDING, TRASH),
    (REJECTED, APPROVED),
    (TRASH, APPROVED),
    (APPROVED, REVERSED),
}


@pytest.mark.parametrize("wanted", Status)
@pytest.mark.parametrize("current", Status)
def test_operator_can_correct_a_status_only_as_the_state_machine_allows(current, wanted):
    conversion = a_conversion(status=current)
    if (current, wanted) in POSSIBLE:
        check_status(wanted, conversion)
    else:
        with pytest.raises(StatusNotPossibleError, match=f"{current} cannot become {wanted}"):
            check_status(wanted, conversion)


def held(amount=4):
    ledger = InMemoryLedger(a_product(approval=Approval.MANUAL))
    return ledger, ledger.report(a_report(APPROVED, amount)).conversion


@pytest.mark.parametrize("amount", [4, 9], ids=["manual", "over the cap"])
def test_approving_credits_held_money(amount):
    ledger, before = held(amount)
    settlement = ledger.decide(before.conversion_id, APPROVED)
    conversion, row = settlement.conversion, settlement.earning_change
    assert (settlement.outcome, conversion.status, conversion.version) == ("credited", APPROVED, 2)
    assert (conversion.hold_reason, conversion.credited) == (None, before.amount)
    assert (row.status, row.approval_status) == (EarningStatus.COMPLETED, ApprovalStatus.MANUAL_APPROVED)
    assert (row.amount, row.reason, row.earning_id) == (before.amount, None, before.earning_id)
    assert (ledger.balance["USD"], ledger.pending["USD"]) == (before.amount, 0)
    assert (ledger.click.status, ledger.click.outcome.status) == (ClickStatus.CONVERTED, APPROVED)


@pytest.mark.parametrize("status", [REJECTED, TRASH])
def test_rejecting_cancels_held_money(status):
    ledger, before = held()
    settlement = ledger.decide(before.conversion_id, status)
    assert (settlement.conversion.status, settlement.earning_change.status) == (status, EarningStatus.CANCELLED)
    assert (ledger.balance["USD"], ledger.pending["USD"]) == (0, 0)
    assert ledger.click.status is ClickStatus.REJECTED


def test_a_decision_keeps_the_sources_own_status():
    ledger, before = held()
    after = ledger.decide(before.conversion_id, REJECTED).conversion
    assert (after.source_status, after.reported, after.reports) == ("Purchase", APPROVED, before.reports)
    assert (after.changed_by, after.versions[-1].changed_by) == ("operator:op_1", None)


def test_a_repeated_report_does_not_overrule_an_operator():
    ledger = LenientLedger(a_product(approval=Approval.MANUAL))
    before = ledger.report(a_report(APPROVED)).conversion
    ledger.decide(before.conversion_id, REJECTED)
    assert ledger.report(a_report(APPROVED)).is_repeat
    assert ledger.report(a_report(APPROVED, source_status="sale")).is_repeat
    assert ledger.balance["USD"] == 0


def test_a_source_may_undo_its_own_rejection_but_not_an_operators():
    ledger = LenientLedger()
    conversion_id = ledger.report(a_report(PENDING)).conversion.conversion_id
    ledger.decide(conversion_id, TRASH)
    assert ledger.report(a_report(APPROVED)).is_ignored
    assert ledger.decide(conversion_id, APPROVED).outcome == "credited"


@pytest.mark.parametrize("received_at", ["2026-03-01T12:00:10.000Z", "2026-03-09T12:00:00.000Z"])
def test_money_held_for_review_is_released_only_by_a_person(received_at):
    ledger = InMemoryLedger(a_product(caps=Caps(min_seconds=60)))
    ledger.report(a_report(APPROVED, received_at=NOON))
    reply = a_report(APPROVED, source_status="yes", changed_by="partner:part_1", received_at=received_at)
    assert ledger.report(reply).is_ignored
    assert (ledger.balance["USD"], ledger.pending["USD"]) == (0, 5)


def test_a_lead_that_waits_for_its_source_can_be_decided_by_an_operator():
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING))
    after = ledger.report(a_report(APPROVED, source_status="yes", changed_by="partner:part_1")).conversion
    assert (after.status, after.changed_by, after.source_status) == (APPROVED, "partner:part_1", "Lead")


def test_reversal_by_hand_takes_back_the_credit():
    ledger = InMemoryLedger()
    conversion_id = ledger.report(a_report(APPROVED, 4)).conversion.conversion_id
    contra = ledger.decide(conversion_id, REVERSED).new_earning
    assert (contra.type, contra.amount, contra.reason) == (EarningType.REVERSAL, -4, "reversed")
    assert (ledger.balance["USD"], ledger.lifetime["USD"]) == (0, 4)
    assert ledger.report(a_report(REVERSED)).is_ignored


def test_a_rejected_conversion_can_be_approved_later_in_a_new_row():
    ledger = InMemoryLedger()
    conversion_id = ledger.report(a_report(REJECTED, 4)).conversion.conversion_id
    row = ledger.decide(conversion_id, APPROVED).new_earning
    assert (row.status, row.approval_status) == (EarningStatus.COMPLETED, ApprovalStatus.MANUAL_APPROVED)
    assert sorted(row.status for row in ledger.rows.values()) == ["cancelled", "completed"]
    assert ledger.balance["USD"] == 4


def test_an_operator_cannot_pay_a_single_conversion_click_twice():
    ledger = InMemoryLedger()
    first = ledger.report(a_report(PENDING, transaction_id="A")).conversion
    ledger.report(a_report(PENDING, transaction_id="B"))
    ledger.report(a_report(APPROVED, transaction_id="B"))
    with pytest.raises(ClickAlreadyConvertedError):
        ledger.decide(first.conversion_id, APPROVED)


def test_a_held_rebill_can_be_approved_on_a_converted_click():
    ledger = InMemoryLedger()
    ledger.report(a_report(APPROVED))
    rebill = ledger.report(a_report(APPROVED, 9, transaction_id="T-2", is_rebill=True)).conversion
    assert ledger.decide(rebill.conversion_id, APPROVED).outcome == "credited"
    assert ledger.balance["USD"] == 5 + 9


def test_a_conversion_without_a_user_changes_status_and_moves_no_money():
    ledger = InMemoryLedger()
    unmatched = a_conversion(user_id=None, product_id=None, credited=0, credited_at=None)
    ledger.conversions[unmatched.conversion_id] = unmatched
    settlement = ledger.decide(unmatched.conversion_id, REVERSED)
    assert (settlement.conversion.status, settlement.conversion.version) == (REVERSED, 2)
    assert (settlement.wallet_change, settlement.new_earning, settlement.click) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"status": PENDING}, True),
        ({"status": APPROVED, "credit_after": "2026-03-08T13:00:00.000Z"}, True),
        ({"status": APPROVED}, False),
        ({"status": REJECTED}, False),
        ({"status": PENDING, "earning_id": "EARN-2"}, False),
    ],
)
def test_only_an_undecided_or_owed_row_can_be_decided(changes, waits):
    conversion = a_conversion(**{"earning_id": "EARN-1"} | changes)
    if waits:
        check_waiting("EARN-1", conversion)
    else:
        with pytest.raises(EarningNotWaitingError):
            check_waiting("EARN-1", conversion)
