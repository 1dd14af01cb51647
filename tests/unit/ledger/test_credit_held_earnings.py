"""The schedule credits due earnings while it has time; one failure does not stop the others."""

import pytest

from ricochet.errors import ConversionNotFoundError, LedgerBusyError
from ricochet.ledger.credit_held_earnings import CreditHeldEarnings
from ricochet.ledger.transaction import ConversionMovedError, Ledger
from ricochet.values.statuses import Status
from tests.unit.builders import InMemoryLedger, a_product, a_report

DUE = "2026-03-08T13:00:00.000Z"


class Tables:
    """Earnings and ledger of `number` conversions that are owed; `interrupt` is raised by the next writes."""

    apply = Ledger.apply

    def __init__(self, number=3):
        self.ledger = InMemoryLedger(a_product(multiple_conversions=True, hold_days=7))
        for one in range(number):
            self.ledger.report(a_report(Status.APPROVED, 1, transaction_id=f"T-{one}"))
        self.rows = [(row.conversion_id, row.earning_id) for row in self.ledger.rows.values()]
        self.asked, self.interrupt, self.receipts = [], [], []

    def due(self, moment):
        self.asked.append(moment)
        yield from self.rows

    def conversion(self, conversion_id):
        return self.ledger.conversions.get(conversion_id)

    def write(self, settlement, receipt=None):
        if self.interrupt and (error := self.interrupt.pop(0)):
            raise error
        self.receipts.append(receipt)
        self.ledger._enter(settlement)

    def settle(self, has_time=lambda: True, moment=DUE):
        return CreditHeldEarnings(self, self, clock=lambda: moment)(has_time)


def test_everything_due_is_credited_without_a_receipt():
    tables = Tables()
    result = tables.settle()
    assert (len(result.credited), result.gone, result.failed) == (3, 0, {})
    assert (tables.ledger.balance["USD"], tables.ledger.pending["USD"]) == (3, 0)
    assert (tables.asked, tables.receipts) == ([DUE], [None] * 3)


def test_a_second_run_finds_nothing_to_do():
    tables = Tables()
    tables.settle()
    result = tables.settle()
    assert (result.credited, result.gone) == ([], 3)
    assert tables.ledger.balance["USD"] == 3


def test_a_row_that_the_index_shows_too_early_is_not_credited():
    tables = Tables()
    assert tables.settle(moment="2026-03-08T12:59:59.999Z").gone == 3
    assert tables.ledger.balance["USD"] == 0


def test_the_run_stops_when_its_time_is_up():
    tables = Tables()
    times = iter([True, True, False])
    assert len(tables.settle(lambda: next(times)).credited) == 2
    assert tables.ledger.pending["USD"] == 1


@pytest.mark.parametrize("error", [LedgerBusyError("busy"), RuntimeError("unforeseen")])
def test_one_failure_does_not_stop_the_others(error):
    tables = Tables()
    tables.interrupt = [None, error]
    result = tables.settle()
    assert len(result.credited) == 2
    assert result.failed == {tables.rows[1][1]: error}


def test_a_row_without_a_conversion_is_reported_as_a_failure():
    tables = Tables(1)
    tables.rows.append(("CONV-NONE", "EARN-1"))
    result = tables.settle()
    assert len(result.credited) == 1
    assert isinstance(result.failed["EARN-1"], ConversionNotFoundError)


def test_a_conversion_partly_refunded_in_between_is_credited_with_the_rest():
    tables = Tables(1)
    before = tables.ledger.conversions[tables.rows[0][0]]
    tables.ledger.report(a_report(Status.REVERSED, "0.25", transaction_id="T-0"))
    now = tables.ledger.conversions[before.conversion_id]
    tables.ledger.conversions[before.conversion_id] = before
    tables.interrupt = [ConversionMovedError(now)]
    assert [one.conversion.credited for one in tables.settle().credited] == [now.owed]
    assert (tables.ledger.balance["USD"], tables.ledger.pending["USD"]) == (now.owed, 0)


def test_a_conversion_that_keeps_changing_is_left_to_the_next_run():
    tables = Tables(1)
    (conversion,) = tables.ledger.conversions.values()
    tables.interrupt = [ConversionMovedError(conversion) for _ in range(9)]
    assert [type(error) for error in tables.settle().failed.values()] == [LedgerBusyError]
