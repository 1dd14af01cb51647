"""What a person decides about a conversion: the same state machine as a postback's, but nothing is held any more."""

from __future__ import annotations

from dataclasses import dataclass

from ricochet.errors import EarningNotWaitingError, StatusNotPossibleError
from ricochet.models.click import Click
from ricochet.models.conversion import Conversion, Report
from ricochet.models.product import Product
from ricochet.models.statuses import Status, next_status
from ricochet.rules.settlement import Settlement, Terms, release, settle


@dataclass(frozen=True)
class Decision:
    by: str  # `operator:<sub>`
    status: Status
    reason: str | None = None


def decide(
    decision: Decision, prior: Conversion, click: Click | None, product: Product | None, moment: str
) -> Settlement:
    """`click` and `product` are the conversion's own, as far as there are any."""
    if decision.status is Status.APPROVED and prior.credit_after is not None:
        return release(prior, moment, by_hand=True)
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
        allow_reapproval=True,
        is_reviewed=True,
    )
    return settle(report, terms, prior, moment)


def check_status(wanted: Status, prior: Conversion) -> None:
    """StatusNotPossibleError unless the conversion can become exactly what is wanted."""
    if next_status(prior.status, wanted, allow_reapproval=True) is not wanted:
        raise StatusNotPossibleError(f"a conversion that is {prior.status} cannot become {wanted}")


def check_waiting(earning_id: str, prior: Conversion) -> None:
    """EarningNotWaitingError unless this very row is still undecided, or approved and not yet credited."""
    is_undecided = prior.status is Status.PENDING or prior.credit_after is not None
    if prior.earning_id != earning_id or not is_undecided:
        raise EarningNotWaitingError(f"this earning waits for nobody: its conversion is {prior.status}")
