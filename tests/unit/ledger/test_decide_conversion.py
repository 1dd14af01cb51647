"""A decision applies to the current state of the conversion, and leaves a receipt that names the operator."""

import pytest

from ricochet.errors import ConversionNotFoundError, EarningNotFoundError, EarningNotWaitingError, LedgerBusyError
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision
from ricochet.ledger.manage_earnings import ManageEarnings
from ricochet.ledger.transaction import ClickTakenError, ConversionMovedError, Ledger
from ricochet.values.statuses import ClickStatus, Status
from tests.unit.builders import IN_AN_HOUR, TOMORROW, InMemoryLedger, RecordedAudit, a_product, a_report

APPROVE = Decision("operator:op_1", Status.APPROVED, "checked")


class Tables:
    """One conversion that is held; `interrupt` is raised by the next writes."""

    apply = Ledger.apply

    def __init__(self):
        self.ledger = InMemoryLedger(a_product(approval="manual"))
        self.held = self.ledger.report(a_report()).conversion
        self.receipts, self.interrupt, self.clicks_read = [], [], 0
        self.decisions = DecideConversion(self, self, self, clock=lambda: TOMORROW)

    def conversion(self, conversion_id):
        return self.ledger.conversions.get(conversion_id)

    def cached_then_fresh(self, product_id):
        return iter([self.ledger.product])

    def get(self, row_id, earning_id=None):
        if earning_id is not None:
            return self.ledger.rows.get(earning_id)
        self.clicks_read += 1
        return self.ledger.click

    def write(self, settlement, receipt):
        if self.interrupt:
            raise self.interrupt.pop(0)
        self.ledger._enter(settlement)
        self.receipts.append(receipt)

    def decide(self, decision=APPROVE, check=lambda _: None):
        return self.decisions(decision, self.held.conversion_id, check)


def test_the_receipt_of_a_decision_contains_operator_outcome_and_reason():
    tables = Tables()
    settlement = tables.decide()
    (receipt,) = tables.receipts
    assert (receipt.source, receipt.outcome, receipt.detail) == ("operator:op_1", "credited", "checked")
    assert (receipt.source_day, receipt.received_at) == (f"operator:op_1#{TOMORROW[:10]}", TOMORROW)
    assert (receipt.conversion_id, receipt.click_id) == (tables.held.conversion_id, tables.held.click_id)
    assert receipt.earning_id == settlement.conversion.earning_id
    assert receipt.ttl > 0
    assert not receipt.is_of_postback


def test_a_conversion_changed_in_between_is_checked_and_decided_again():
    tables = Tables()
    moved = tables.ledger.decide(tables.held.conversion_id, Status.REJECTED).conversion
    tables.ledger.conversions[moved.conversion_id] = tables.held
    tables.interrupt = [ConversionMovedError(moved)]
    manage = ManageEarnings(tables, tables.decisions, RecordedAudit())
    with pytest.raises(EarningNotWaitingError):
        manage.decide("user_1", tables.held.earning_id, Status.APPROVED, None)
    assert tables.ledger.balance["USD"] == 0


def test_a_click_changed_in_between_is_read_again():
    tables = Tables()
    tables.interrupt = [ClickTakenError(tables.ledger.click)]
    assert tables.decide().outcome == "credited"
    assert tables.clicks_read == 2
    assert tables.ledger.click.status is ClickStatus.CONVERTED


def test_a_conversion_that_keeps_changing_fails_as_busy():
    tables = Tables()
    tables.interrupt = [ConversionMovedError(tables.held) for _ in range(9)]
    with pytest.raises(LedgerBusyError):
        tables.decide()


def test_a_conversion_without_a_product_has_no_click():
    tables = Tables()
    tables.ledger.conversions[tables.held.conversion_id] = tables.held.with_changes(product_id=None)
    settlement = tables.decide()
    assert (settlement.outcome, settlement.click, tables.clicks_read) == ("credited", None, 0)


def test_a_missing_earning_or_conversion_is_not_found():
    tables = Tables()
    with pytest.raises(ConversionNotFoundError):
        tables.decisions(APPROVE, "CONV-NONE", lambda _: None)
    with pytest.raises(EarningNotFoundError):
        ManageEarnings(tables, tables.decisions, RecordedAudit()).decide("user_1", "EARN-NONE", Status.APPROVED, None)


def test_an_earning_is_shown_after_the_decision():
    tables = Tables()
    audit = RecordedAudit()
    manage = ManageEarnings(tables, tables.decisions, audit)
    change = manage.decide("user_1", tables.held.earning_id, Status.APPROVED, "checked")
    before, after = change.before, change.after
    assert (before.status, after.status) == ("pending", "completed")
    assert after == tables.ledger.rows[tables.held.earning_id]
    assert after.credited_at == TOMORROW > IN_AN_HOUR
    (line,) = audit.lines
    assert (line["action"], line["resource"], line["reason"]) == ("earning.approved", after.earning_id, "checked")
    assert line["conversion_id"] == after.conversion_id
    assert [receipt.source for receipt in tables.receipts] == ["operator:op_1"]
