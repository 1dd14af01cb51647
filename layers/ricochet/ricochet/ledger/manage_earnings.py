"""Operators list the money that waits, and approve or reject it."""

from __future__ import annotations

from dataclasses import dataclass

from ricochet.dynamodb.paging import Page
from ricochet.errors import EarningNotFoundError
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_waiting
from ricochet.ledger.earning import Earning, EarningState
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, PageView
from ricochet.values.inputs import Reason
from ricochet.values.statuses import Status


class ApprovalInput(Model):
    reason: Reason | None = None


class RejectionInput(Model):
    reason: Reason


class LedgerRow(Earning):
    """An earning as operators see it."""


class LedgerRows(PageView[LedgerRow]):
    pass


@dataclass(frozen=True)
class ManageEarnings:
    earnings: EarningsTable
    decisions: DecideConversion
    audit: Audit

    def list_page(self, product_id: str | None, limit: int, cursor: str | None) -> Page[Earning]:
        """What waits for us, the longest waiting first. With a product a page may be short without being the last."""
        return self.earnings.waiting(product_id, limit, cursor)

    def decide(self, user_id: str, earning_id: str, status: Status, reason: str | None) -> Change[Earning]:
        """Approve or reject a row; EarningNotFoundError, and EarningNotWaitingError if it is decided already."""
        before = self.earnings.get(user_id, earning_id)
        if before is None:
            raise EarningNotFoundError
        decision = Decision(f"operator:{self.audit.who}", status, reason)
        settlement = self.decisions(decision, before.conversion_id, lambda prior: check_waiting(earning_id, prior))
        change = Change(before, _changed(before, settlement.earning_change))
        return self.audit.record_change(
            f"earning.{status}", earning_id, change, reason, conversion_id=before.conversion_id
        )


def _changed(earning: Earning, change: EarningState | None) -> Earning:
    if change is None:
        return earning
    return earning.with_changes(**{name: getattr(change, name) for name in EarningState.model_fields})
