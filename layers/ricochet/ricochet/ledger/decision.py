"""Decisions about a conversion by an operator or a partner, through the same state machine as its source's reports.

An operator's decision is final: nothing is held after it. A partner's reply follows the product's rules, like a report.
"""

from __future__ import annotations

from dataclasses import dataclass

from ricochet.clicks.click import Click
from ricochet.clicks.product import Approval, Product
from ricochet.errors import EarningNotWaitingError, StatusNotPossibleError
from ricochet.ledger.conversion import Conversion, HoldReason
from ricochet.ledger.report import Report
from ricochet.ledger.settlement import Settlement, credit_owed, settle
from ricochet.ledger.terms import Terms
from ricochet.values.statuses import Status, next_status
from ricochet.values.times import Moment


@dataclass(frozen=True)
class Decision:
    by: str  # `operator:<sub>`, `partner:<partnerId>`
    status: Status
    reason: str | None = None
    is_reviewed: bool = True  # by a person


def decide(
    decision: Decision,
    prior: Conversion,
    click: Click | None,
    product: Product | None,
    moment: Moment,
    cap_reached: HoldReason | None = None,
) -> Settlement:
    """Return what the decision changes. `click` and `product` are the conversion's own, None if it has none."""
    if decision.is_reviewed and decision.status is Status.APPROVED and prior.credit_after is not None:
        return credit_owed(prior, moment, by_hand=True)
    report = Report(
        source=prior.source,
        click_id=prior.click_id,
        status=decision.status,
        source_status=decision.status,
        changed_by=decision.by,
        received_at=moment,
    )
    terms = Terms(
        currency=prior.currency,
        referral_rate=prior.referral_rate,
        user_id=prior.user_id,
        click=click,
        product=product,
        needs_approval=product is not None and product.effective_approval is Approval.MANUAL,
        allow_reapproval=decision.is_reviewed,
        is_reviewed=decision.is_reviewed,
        cap_reached=cap_reached,
    )
    return settle(report, terms, prior, moment)


def check_status(wanted: Status, prior: Conversion) -> None:
    """Raise StatusNotPossibleError unless the conversion can become exactly `wanted`."""
    if next_status(prior.status, wanted, allow_reapproval=True) is not wanted:
        raise StatusNotPossibleError(f"a conversion that is {prior.status} cannot become {wanted}")


def check_reply(status: Status, version: int, prior: Conversion) -> None:
    """Raise StatusNotPossibleError if a partner's reply changes nothing, or if a person must decide first.

    A reply answers one version: the partner did not know the versions that came later.
    """
    if prior.version != version:
        raise StatusNotPossibleError("the conversion has a newer version than the partner received")
    if prior.hold_reason is not None and status is Status.APPROVED:
        raise StatusNotPossibleError(f"the money is held ({prior.hold_reason}) until a person decides")
    if next_status(prior.status, status) is None:
        raise StatusNotPossibleError(f"a conversion that is {prior.status} does not become {status}")


def check_waiting(earning_id: str, prior: Conversion) -> None:
    """Raise EarningNotWaitingError unless this row is still undecided, or approved and not yet credited."""
    is_undecided = prior.status is Status.PENDING or prior.credit_after is not None
    if prior.earning_id != earning_id or not is_undecided:
        raise EarningNotWaitingError(f"this earning does not wait for a decision: its conversion is {prior.status}")
