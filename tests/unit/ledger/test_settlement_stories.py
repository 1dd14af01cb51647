"""Longer stories of one click or one conversion, in which each step alone looks harmless."""

import contextlib
from dataclasses import replace

import pytest

from ricochet.errors import ConflictError
from ricochet.ledger.settlement import repeats
from ricochet.values.statuses import Status
from tests.unit.builders import Books, a_report

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status


class LenientBooks(Books):
    """Of a source that may approve what it refused before."""

    def terms(self):
        return replace(super().terms(), allow_reapproval=True)


def tell_all(books: Books, *story: tuple[str, Status]) -> Books:
    for transaction_id, status in story:
        with contextlib.suppress(ConflictError):
            books.tell(a_report(status, transaction_id=transaction_id))
    return books


@pytest.mark.parametrize("refusal", [REJECTED, TRASH, REVERSED])
def test_a_rejected_lead_does_not_reopen_a_paid_click(refusal):
    leads = [("A", PENDING), ("B", PENDING), ("C", PENDING)]
    books = tell_all(Books(), *leads, ("B", APPROVED), ("A", refusal), ("C", APPROVED))
    assert books.balance["USD"] == 5


def test_a_reapproval_does_not_pay_a_click_twice():
    leads = [("A", PENDING), ("B", PENDING)]
    books = tell_all(LenientBooks(), *leads, ("A", REJECTED), ("B", APPROVED), ("A", APPROVED))
    assert books.balance["USD"] == 5


@pytest.mark.parametrize("refusal", [REJECTED, TRASH])
def test_a_reapproval_is_credited_in_a_new_row(refusal):
    books = tell_all(LenientBooks(), ("A", refusal), ("A", APPROVED))
    assert (books.balance["USD"], books.lifetime["USD"], books.pending["USD"]) == (5, 5, 0)
    assert sorted(row.status for row in books.rows.values()) == ["cancelled", "completed"]


@pytest.mark.parametrize("refusal", [REJECTED, TRASH])
def test_rejecting_a_reapproved_conversion_takes_the_money_back(refusal):
    books = tell_all(LenientBooks(), ("A", refusal), ("A", APPROVED), ("A", refusal))
    assert books.balance["USD"] == 0


def test_a_reapproval_in_another_currency_does_not_change_the_amount():
    books = LenientBooks()
    books.tell(a_report(REJECTED, 3))
    conversion = books.tell(a_report(APPROVED, 400, currency="COINS")).conversion
    assert (conversion.amount, conversion.currency) != (400, "USD")
    assert books.pending["USD"] < 400


@pytest.mark.parametrize("amount", [None, 5], ids=["all", "the whole amount"])
def test_a_full_refund_after_a_partial_one_is_not_a_repeat(amount):
    books = Books()
    books.tell(a_report(APPROVED, 5))
    books.tell(a_report(REVERSED, 2))
    refund = a_report(REVERSED, amount)
    assert not repeats(refund, books.click.outcome)
    books.tell(refund)
    assert books.balance["USD"] == 0
