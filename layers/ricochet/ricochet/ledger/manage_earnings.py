"""Operators list the money that waits, and approve or reject it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import StringConstraints

from ricochet.dynamodb.paging import Page
from ricochet.errors import EarningNotFoundError
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_waiting
from ricochet.ledger.earning import INDEX_FIELDS, Earning, EarningState
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.values.entity import Entity

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class ApprovalInput(Entity):
    reason: Reason | None = None


class RejectionInput(Entity):
    reason: Reason


class Decided(NamedTuple):
    before: Earning
    after: Earning


class ManageEarnings:
    def __init__(self, earnings: EarningsTable, decisions: DecideConversion) -> None:
        self._earnings = earnings
        self._decisions = decisions

    def list_page(self, product_id: str | None, limit: int, cursor: str | None) -> Page[Earning]:
        """What waits for us, the longest waiting first. With a product a page may be short without being the last."""
        return self._earnings.waiting(product_id, limit, cursor)

    def decide(self, user_id: str, earning_id: str, decision: Decision) -> Decided:
        """Raise EarningNotFoundError, or EarningNotWaitingError for a row that is decided already."""
        before = self._earnings.get(user_id, earning_id)
        if before is None:
            raise EarningNotFoundError("there is no such earning")
        settlement = self._decisions(decision, before.conversion_id, lambda prior: check_waiting(earning_id, prior))
        return Decided(before, _changed(before, settlement.earning_change))


def _changed(earning: Earning, change: EarningState | None) -> Earning:
    if change is None:
        return earning
    return earning.with_changes(**{name: getattr(change, name) for name in EarningState.model_fields})


def shown(earning: Earning) -> dict[str, Any]:
    return earning.to_json(leave_out=set(INDEX_FIELDS))
