"""How a report changes its conversion: the core of Ricochet, without input or output.

`transition` is the state machine. Everything else that is written follows from the conversion before and after it,
and is computed once, in `consequences`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ricochet.clicks.click import Click, ClickResult
from ricochet.clicks.product import Product
from ricochet.clicks.tags import Tags
from ricochet.errors import ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError
from ricochet.ledger import caps, consequences
from ricochet.ledger.caps import Count
from ricochet.ledger.consequences import ClickChange, new_earning_id
from ricochet.ledger.conversion import Conversion, HoldReason
from ricochet.ledger.earning import Earning, EarningState, WalletChange
from ricochet.ledger.report import Report
from ricochet.ledger.terms import Terms
from ricochet.values import times
from ricochet.values.statuses import ClickStatus, Outcome, Status, next_status
from ricochet.values.times import Moment

ZERO = Decimal(0)
OFFER_NAME_LENGTH = 64


@dataclass(frozen=True)
class Settlement:
    """One transaction to be written: the conversion's next state and everything that moves with it."""

    outcome: Outcome
    conversion: Conversion
    prior: Conversion | None
    click: ClickChange | None = None
    new_earning: Earning | None = None
    earning_change: EarningState | None = None
    wallet_change: WalletChange | None = None
    counts: tuple[Count, ...] = ()

    @property
    def is_repeat(self) -> bool:
        return self.outcome is Outcome.REPEAT

    @property
    def is_ignored(self) -> bool:
        return self.outcome is Outcome.IGNORED


def settle(report: Report, terms: Terms, prior: Conversion | None, moment: Moment) -> Settlement:
    """Return what `report` changes on these terms. `prior` is the conversion's last known state, None if it is new.

    Raise ClickAlreadyConvertedError, ClickExpiredError or ConflictingReplayError if the report must be refused.
    """
    after, outcome = transition(report, terms, prior, moment)
    return _settlement(outcome, prior, after, terms, report.source_status)


def credit_owed(prior: Conversion, moment: Moment, *, by_hand: bool = False) -> Settlement:
    """Credit what is owed. The version stays, so partners receive nothing; the commission follows `credited`."""
    moment = max(moment, _just_after(prior.updated_at))
    after = prior.with_changes(
        credited=prior.credited + prior.owed, owed=ZERO, credit_after=None, credited_at=moment, updated_at=moment
    )
    terms = Terms(prior.currency, prior.referral_rate, prior.user_id, is_reviewed=by_hand)
    return _settlement(Outcome.CREDITED, prior, after, terms, prior.source_status)


def _settlement(
    outcome: Outcome, before: Conversion | None, after: Conversion, terms: Terms, reason: str
) -> Settlement:
    if after is before or after.user_id is None or after.is_tombstone:
        return Settlement(outcome, after, before)
    return Settlement(
        outcome=outcome,
        conversion=after,
        prior=before,
        click=consequences.click_change(before, after, terms),
        new_earning=consequences.new_row(before, after, terms, reason),
        earning_change=consequences.row_change(before, after, terms),
        wallet_change=consequences.wallet_change(before, after),
        counts=consequences.counts(before, after, terms),
    )


def transition(report: Report, terms: Terms, prior: Conversion | None, moment: Moment) -> tuple[Conversion, Outcome]:
    """Return the conversion's next state (`prior` itself if nothing changes) and what that means for the report."""
    if prior is None:
        after = _first_report(report, terms, moment)
        return after, _outcome(None, after)
    moment = max(moment, _just_after(prior.updated_at))
    if prior.is_tombstone:
        if report.status is Status.REVERSED or report.key in prior.reports:
            return prior, Outcome.REPEAT
        after = _complete_tombstone(report, terms, prior, moment)
        return after, _outcome(prior, after)
    _check_same(report, prior)
    if report.changed_by is None and _is_known(report, prior):
        return prior, Outcome.REPEAT
    return _later_report(report, terms, prior, moment)


def _first_report(report: Report, terms: Terms, moment: Moment) -> Conversion:
    if report.status is not Status.REVERSED:
        check_open(report, terms)
    amount, currency = _amount(report, terms), report.currency or terms.currency
    hold = _hold_reason(report, terms, report.status, amount, currency)
    click = terms.click
    conversion = Conversion.from_entity(
        report,
        status=Status.PENDING if hold else report.status,
        reported=report.status,
        reports=(report.key,),
        hold_reason=hold,
        is_tombstone=True if report.status is Status.REVERSED else None,
        is_rebill=report.is_rebill or None,
        version=1,
        user_id=terms.user_id,
        product_id=terms.product.product_id if terms.product else None,
        offer_id=report.offer_id or (click.offer_id if click else None),
        amount=amount,
        currency=currency,
        referral_rate=terms.referral_rate,
        created_at=moment,
        updated_at=moment,
        **_shown_to_partners(click, terms.product),
    )
    return conversion if conversion.is_tombstone else _with_row(_credited(conversion, terms))


def _complete_tombstone(report: Report, terms: Terms, prior: Conversion, moment: Moment) -> Conversion:
    """Record a sale after its own reversal: the conversion gets its click and stays reversed."""
    check_open(report, terms)
    conversion = prior.with_changes(
        click_id=report.click_id,
        user_id=terms.user_id,
        product_id=terms.product.product_id if terms.product else None,
        reports=(*prior.reports, report.key),
        amount=_amount(report, terms),
        is_tombstone=None,
        is_rebill=report.is_rebill or None,
        updated_at=moment,
        **_shown_to_partners(terms.click, terms.product),
    )
    return _with_row(conversion)


def _later_report(report: Report, terms: Terms, prior: Conversion, moment: Moment) -> tuple[Conversion, Outcome]:
    status = next_status(prior.status, report.status, allow_reapproval=_may_reapprove(report, terms, prior))
    if status is None or (status is Status.APPROVED and prior.hold_reason and not terms.is_reviewed):
        return prior, Outcome.REPEAT if report.key in prior.reports else Outcome.IGNORED
    if status is Status.REVERSED:
        after = _reverse(report, prior, moment)
    else:
        after = _resolve(report, terms, prior, status, moment)
    return after, _outcome(prior, after)


def _resolve(report: Report, terms: Terms, prior: Conversion, status: Status, moment: Moment) -> Conversion:
    """Return a pending conversion approved or rejected, or a rejected one approved; pending if its money is held.

    A rejected conversion that is approved gets a new row: its cancelled one stays.
    """
    _check_unpaid(status, terms, prior)
    amount, hold = _approved_amount(report, terms, prior, status)
    after = _next(report, prior, Status.PENDING if hold else status, moment)
    after = _credited(after.with_changes(hold_reason=hold, amount=amount), terms)
    return after if prior.status is Status.PENDING else _with_row(after)


def _reverse(report: Report, prior: Conversion, moment: Moment) -> Conversion:
    """Take back what was credited or is owed, or the part that the source names; the rest stays approved."""
    if _is_partial(report, prior):
        back, status = report.amount or ZERO, Status.APPROVED
    else:
        back, status = prior.credited + prior.owed, Status.REVERSED
    after = _next(report, prior, status, moment)
    if status is Status.APPROVED:
        after = after.with_changes(reported=prior.reported)
    if prior.credit_after is None:
        return after.with_changes(credited=prior.credited - back)
    is_over = status is Status.REVERSED
    return after.with_changes(owed=prior.owed - back, credit_after=None if is_over else prior.credit_after)


def _outcome(before: Conversion | None, after: Conversion) -> Outcome:
    """Return what a change means for the report that made it."""
    if after.is_tombstone:
        return Outcome.TOMBSTONE
    if after.user_id is None:
        return Outcome.UNMATCHED if before is None else Outcome[after.status.name]
    if before is not None and after.credited + after.owed < before.credited + before.owed:
        return Outcome.REVERSED
    if after.status is Status.APPROVED:
        return Outcome.CREDITED if after.credit_after is None else Outcome.CREDIT_LATER
    return Outcome.HELD if after.hold_reason else Outcome[after.status.name]


def _is_known(report: Report, prior: Conversion) -> bool:
    """Whether the report says nothing new. Raise ConflictingReplayError if it says the same with another amount."""
    if _is_partial(report, prior):
        return report.key in prior.reports
    if report.status is not prior.reported:
        return False
    if report.key in prior.reports:
        return True
    if report.amount is not None and report.amount != prior.amount:
        raise ConflictingReplayError("this transaction is known with another amount")
    return True


def _may_reapprove(report: Report, terms: Terms, prior: Conversion) -> bool:
    """A source may undo its own rejection, but nobody else's."""
    return terms.allow_reapproval and (prior.changed_by is None or report.changed_by is not None)


def repeats(report: Report, result: ClickResult) -> bool:
    """Return whether `report` repeats the result of the click, so that it is answered without another read."""
    return report.conversion_id == result.conversion_id and report.key == result.report_key


def check_open(report: Report, terms: Terms) -> None:
    """Raise ClickAlreadyConvertedError or ClickExpiredError unless a conversion may start from this click."""
    click = terms.click
    if click is None or report.is_rebill:
        return
    taken = click.status is not ClickStatus.PENDING or click.closed
    if taken and not terms.allows_many_conversions:
        raise ClickAlreadyConvertedError("this click has led to a conversion already")
    if click.is_expired(report.received_at):
        raise ClickExpiredError(f"this click expired at {click.expires_at}")


def _check_same(report: Report, prior: Conversion) -> None:
    if report.click_id is not None and prior.click_id != report.click_id:
        raise ConflictingReplayError("this transaction is known with another click")
    if report.user_id is not None and prior.user_id is not None and prior.user_id != report.user_id:
        raise ConflictingReplayError("this transaction is known with another user")


def _check_unpaid(status: Status, terms: Terms, prior: Conversion) -> None:
    """Raise ClickAlreadyConvertedError if approving would pay a click twice that may be paid once."""
    paid = terms.click is not None and terms.click.status is ClickStatus.CONVERTED and not prior.is_rebill
    if status is Status.APPROVED and paid and not terms.allows_many_conversions:
        raise ClickAlreadyConvertedError("another conversion of this click has been paid")


def _approved_amount(
    report: Report, terms: Terms, prior: Conversion, status: Status
) -> tuple[Decimal, HoldReason | None]:
    """Return the amount, which only an approval in the same currency may change, and why it must wait, if it must."""
    amount = prior.amount if report.amount is None or status is not Status.APPROVED else report.amount
    hold = _hold_reason(report, terms, status, amount, prior.currency)
    if status is Status.APPROVED and prior.user_id is not None and terms.user_id is None:
        hold = HoldReason.MANUAL_APPROVAL  # its click was deleted, and the product's rules with it
    return prior.amount if hold is HoldReason.CURRENCY_MISMATCH else amount, hold


def _is_partial(report: Report, prior: Conversion) -> bool:
    """Whether a reversal names less than what is still credited or owed."""
    return (
        report.status is Status.REVERSED
        and prior.status is Status.APPROVED
        and report.amount is not None
        and ZERO < report.amount < prior.credited + prior.owed
    )


def _next(report: Report, prior: Conversion, status: Status, moment: Moment) -> Conversion:
    """Return the conversion in `status`, in a new version if that changes it."""
    if status is not prior.status:
        prior = prior.with_changes(
            version=prior.version + 1,
            versions=(*prior.versions, prior.as_past),
            version_at=moment,
            changed_by=report.changed_by,
        )
    moved = prior.with_changes(status=status, updated_at=moment)
    if report.changed_by is not None:
        return moved  # the source has not reported anything else
    return moved.with_changes(
        source_status=report.source_status,
        reported=report.status,
        reports=(*prior.reports, report.key),
        payout=prior.payout if report.payout is None or report.status is Status.REVERSED else report.payout,
    )


def _credited(conversion: Conversion, terms: Terms) -> Conversion:
    """Return an approved conversion with its amount credited, or owed until the product's hold days are over."""
    if conversion.user_id is None or conversion.status is not Status.APPROVED:
        return conversion
    moment = conversion.updated_at
    if terms.hold_days:
        credit_after = times.plus(moment, days=terms.hold_days)
        return conversion.with_changes(owed=conversion.amount, credit_after=credit_after)
    return conversion.with_changes(credited=conversion.amount, credited_at=conversion.credited_at or moment)


def _with_row(conversion: Conversion) -> Conversion:
    """Return the conversion with the id of a new row in its user's ledger."""
    return conversion if conversion.user_id is None else conversion.with_changes(earning_id=new_earning_id(conversion))


def _amount(report: Report, terms: Terms) -> Decimal:
    """Return the reported amount, or else what the product promises."""
    if report.amount is not None:
        return report.amount
    return terms.product.earn_up_to if terms.product else ZERO


def _hold_reason(report: Report, terms: Terms, status: Status, amount: Decimal, currency: str) -> HoldReason | None:
    """Return why an approved amount, recorded in this currency, must wait for a person."""
    if status is not Status.APPROVED or terms.user_id is None or terms.is_reviewed:
        return None
    product, click = terms.product, terms.click
    reasons = {
        HoldReason.CURRENCY_MISMATCH: currency != terms.currency or report.currency not in (None, currency),
        HoldReason.AMOUNT_OVER_CAP: product is not None and amount > product.earn_up_to,
        HoldReason.TOO_FAST: bool(product and click and caps.is_too_fast(product, click, report.received_at)),
        HoldReason.MANUAL_APPROVAL: terms.needs_approval,
    }
    return next((reason for reason, holds in reasons.items() if holds), terms.cap_reached)


def _shown_to_partners(click: Click | None, product: Product | None) -> dict[str, str | None]:
    """Return what partners' macros show of the click and its product; it is stored with the conversion."""
    of_product = {"offer_name": product.name[:OFFER_NAME_LENGTH]} if product else {}
    return of_product | ({name: getattr(click, name) for name in (*Tags.model_fields, "ip")} if click else {})


def _just_after(moment: Moment) -> Moment:
    return times.plus(moment, milliseconds=1)
