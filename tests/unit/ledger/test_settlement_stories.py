"""Longer sequences of reports, in which each step alone looks harmless."""

import contextlib
from dataclasses import replace

import pytest

from ricochet.errors import ConflictError
from ricochet.ledger.settlement import repeats
from ricochet.values.statuses import Status
from tests.unit.builders import InMemoryLedger, a_report

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status


class LenientLedger(InMemoryLedger):
    """The ledger of a source that may approve what it rejected before."""

    def terms(self):
        return replace(super().terms(), allow_reapproval=True)


def report_all(ledger: InMemoryLedger, *story: tuple[str, Status]) -> InMemoryLedger:
    for transaction_id, status in story:
        with contextlib.suppress(ConflictError):
            ledger.report(a_report(status, transaction_id=transaction_id))
    return ledger


@pytest.mark.parametrize("refusal", [REJECTED, TRASH, REVERSED])
def test_a_rejected_lead_does_not_reopen_a_paid_click(refusal):
    leads = [("A", PENDING), ("B", PENDING), ("C", PENDING)]
    ledger = report_all(InMemoryLedger(), *leads, ("B", APPROVED), ("A", refusal), ("C", APPROVED))
    assert ledger.balance["USD"] == 5


def test_a_reapproval_does_not_pay_a_click_twice():
    leads = [("A", PENDING), ("B", PENDING)]
    ledger = report_all(LenientLedger(), *leads, ("A", REJECTED), ("B", APPROVED), ("A", APPROVED))
    assert ledger.balance["USD"] == 5


@pytest.mark.parametrize("refusal", [REJECTED, TRASH])
def test_a_reapproval_is_credited_in_a_new_row(refusal):
    ledger = report_all(LenientLedger(), ("A", refusal), ("A", APPROVED))
    assert (ledger.balance["USD"], ledger.lifetime["USD"], ledger.pending["USD"]) == (5, 5, 0)
    assert sorted(row.status for row in ledger.rows.values()) == ["cancelled", "completed"]


@pytest.mark.parametrize("refusal", [REJECTED, TRASH])
def test_rejecting_a_reapproved_conversion_takes_the_money_back(refusal):
    ledger = report_all(LenientLedger(), ("A", refusal), ("A", APPROVED), ("A", refusal))
    assert ledger.balance["USD"] == 0


def test_a_reapproval_in_another_currency_does_not_change_the_amount():
    ledger = LenientLedger()
    ledger.report(a_report(REJECTED, 3))
    conversion = ledger.report(a_report(APPROVED, 400, currency="COINS")).conversion
    assert (conversion.amount, conversion.currency) != (400, "USD")
    assert ledger.pending["USD"] < 400


@pytest.mark.parametrize("amount", [None, 5], ids=["all", "the whole amount"])
def test_a_full_refund_after_a_partial_one_is_not_a_repeat(amount):
    ledger = InMemoryLedger()
    ledger.report(a_report(APPROVED, 5))
    ledger.report(a_report(REVERSED, 2))
    refund = a_report(REVERSED, amount)
    assert not repeats(refund, ledger.click.outcome)
    ledger.report(refund)
    assert ledger.balance["USD"] == 0
