"""What a reported conversion does to the ledger: the heart of Ricochet, without any input or output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from ricochet.clicks.click import Click, ClickResult, ClickStatus
from ricochet.clicks.product import Product
from ricochet.clicks.tags import Tags
from ricochet.errors import ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError
from ricochet.ledger import caps
from ricochet.ledger.caps import Count
from ricochet.ledger.consequences import contra_row, conversion_row, new_earning_id, row_state, wallet_change
from ricochet.ledger.conversion import Conversion, HoldReason
from ricochet.ledger.earning import Earning, EarningState, WalletChange
from ricochet.ledger.report import Report
from ricochet.values import times
from ricochet.values.statuses import Status, next_status

CLICK_STATUS = {
    Status.PENDING: ClickStatus.PENDING,
    Status.APPROVED: ClickStatus.CONVERTED,
    Status.REJECTED: ClickStatus.REJECTED,
    Status.TRASH: ClickStatus.REJECTED,
    Status.REVERSED: ClickStatus.CONVERTED,
}

ZERO = Decimal(0)

OFFER_NAME_LENGTH = 64


@dataclass(frozen=True)
class Terms:
    """On whose behalf a conversion counts, and by which rules. Without a user it credits nobody."""

    currency: str
    referral_rate: Decimal
    user_id: str | None = None
    click: Click | None = None
    product: Product | None = None
    needs_approval: bool = False
    allow_reapproval: bool = False
    one_open_conversion: bool = False  # no second conversion while the first is pending: anyone could report one
    is_reviewed: bool = False  # a person decides: nothing is held, and approved money is credited at once
    cap_reached: HoldReason | None = None

    def with_click(self, click: Click) -> Terms:
        return replace(self, click=click)

    def with_cap_reached(self, reason: HoldReason) -> Terms:
        return replace(self, cap_reached=reason)

    @property
    def allows_many_conversions(self) -> bool:
        """Whether the click may lead to any number of conversions."""
        return self.product is not None and self.product.multiple_conversions

    @property
    def hold_days(self) -> int:
        return 0 if self.product is None or self.is_reviewed else self.product.hold_days


def terms_of_click(
    click: Click,
    product: Product,
    default_rate: Decimal,
    *,
    needs_approval: bool,
    allow_reapproval: bool = False,
    one_open_conversion: bool = False,
) -> Terms:
    """The terms of a click's own user and product."""
    return Terms(
        currency=product.currency,
        referral_rate=product.commission_rate(default_rate),
        user_id=click.user_id,
        click=click,
        product=product,
        needs_approval=needs_approval,
        allow_reapproval=allow_reapproval,
        one_open_conversion=one_open_conversion,
    )


class ClickCondition(Enum):
    """What a click must still be when it is written."""

    OPEN = "pending, not closed and not expired"
    UNEXPIRED = "not expired"
    UNCHANGED = "in the status that this was decided by"
    EXISTS = "there"


@dataclass(frozen=True)
class ClickChange:
    click_id: str
    status: ClickStatus
    outcome: ClickResult
    closed: bool
    condition: ClickCondition
    seen: ClickStatus


@dataclass(frozen=True)
class Settlement:
    """One transaction to be: the conversion's next state and everything that moves with it."""

    outcome: str
    """credited, credit_later, held, pending, rejected, trash, reversed, tombstone, unmatched, ignored, repeat"""
    conversion: Conversion
    prior: Conversion | None
    click: ClickChange | None = None
    new_earning: Earning | None = None
    earning_change: EarningState | None = None
    """Of a row that is pending until then; credited rows never change."""
    wallet_change: WalletChange | None = None
    counts: tuple[Count, ...] = ()

    @property
    def is_repeat(self) -> bool:
        return self.outcome == "repeat"

    @property
    def is_ignored(self) -> bool:
        return self.outcome == "ignored"


def settle(report: Report, terms: Terms, prior: Conversion | None, moment: str) -> Settlement:
    """What `report` means on these terms, given the conversion's last known state (`prior`, None if it is new).

    ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError where it may not mean anything.
    """
    if prior is None:
        return _first_report(report, terms, moment)
    moment = max(moment, _just_after(prior.updated_at))
    if prior.is_tombstone:
        return _complete_tombstone(report, terms, prior, moment)
    _check_same(report, prior)
    if report.changed_by is None and _is_known(report, prior):
        return Settlement("repeat", prior, prior)
    return _later_report(report, terms, prior, moment)


def credit_owed(prior: Conversion, moment: str, *, by_hand: bool = False) -> Settlement:
    """Credits what is owed. The version stays, so partners hear nothing; the commission follows `credited`."""
    moment = max(moment, _just_after(prior.updated_at))
    conversion = prior.with_changes(
        credited=prior.credited + prior.owed, owed=ZERO, credit_after=None, credited_at=moment, updated_at=moment
    )
    return Settlement(
        "credited",
        conversion,
        prior,
        earning_change=row_state(conversion, prior.owed, by_hand=by_hand),
        wallet_change=wallet_change(conversion, prior),
    )


def _is_known(report: Report, prior: Conversion) -> bool:
    """Whether the report says nothing new; ConflictingReplayError if it says the same with another amount."""
    if _is_partial(report, prior):
        return report.key in prior.reports
    if report.status is not prior.reported:
        return False
    if report.key in prior.reports:
        return True
    if report.amount is not None and report.amount != prior.amount:
        raise ConflictingReplayError("this transaction is known with another amount")
    return True


def _later_report(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    status = next_status(prior.status, report.status, allow_reapproval=_may_reapprove(report, terms, prior))
    if status is None or (status is Status.APPROVED and prior.hold_reason and not terms.is_reviewed):
        return Settlement("repeat" if report.key in prior.reports else "ignored", prior, prior)
    if status is Status.REVERSED:
        return _reverse(report, terms, prior, moment)
    if prior.status is Status.PENDING:
        return _resolve_pending(report, terms, prior, status, moment)
    return _reapprove(report, terms, prior, moment)


def _may_reapprove(report: Report, terms: Terms, prior: Conversion) -> bool:
    """A source may take back its own refusal, but nobody else's."""
    return terms.allow_reapproval and (prior.changed_by is None or report.changed_by is not None)


def repeats(report: Report, outcome: ClickResult) -> bool:
    """Whether `report` says only what the click already led to, so that nothing needs to be read to answer it."""
    return report.conversion_id == outcome.conversion_id and report.key == outcome.report_key


def check_open(report: Report, terms: Terms) -> None:
    """Raises unless a first report of a conversion may start from this click."""
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


def _first_report(report: Report, terms: Terms, moment: str) -> Settlement:
    if report.status is not Status.REVERSED:
        check_open(report, terms)
    amount, currency = _amount(report, terms), report.currency or terms.currency
    hold = _hold_reason(report, terms, report.status, amount, currency)
    click = terms.click
    conversion = Conversion(
        conversion_id=report.conversion_id,
        source=report.source,
        source_conversion_id=report.source_conversion_id,
        transaction_id=report.transaction_id,
        event=report.event,
        network_id=report.network_id,
        status=Status.PENDING if hold else report.status,
        source_status=report.source_status,
        reported=report.status,
        reports=(report.key,),
        hold_reason=hold,
        is_rebill=report.is_rebill or None,
        version=1,
        changed_by=report.changed_by,
        click_id=report.click_id,
        user_id=terms.user_id,
        product_id=terms.product.product_id if terms.product else None,
        offer_id=report.offer_id or (click.offer_id if click else None),
        amount=amount,
        payout=report.payout,
        currency=currency,
        referral_rate=terms.referral_rate,
        created_at=moment,
        updated_at=moment,
        **_shown_to_partners(click, terms.product),
    )
    if report.status is Status.REVERSED:
        return Settlement("tombstone", conversion.with_changes(is_tombstone=True), None)
    if terms.user_id is None:
        return Settlement("unmatched", conversion, None)
    return _open_row(_paid(conversion, terms), None, terms, _first_condition(report, terms))


def _complete_tombstone(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    """A sale after its own reversal: it is recorded with its click, and ends reversed."""
    if report.status is Status.REVERSED or report.key in prior.reports:
        return Settlement("repeat", prior, prior)
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
    if terms.user_id is None:
        return Settlement("reversed", conversion, prior)
    return _open_row(conversion, prior, terms, _first_condition(report, terms))


def _open_row(conversion: Conversion, prior: Conversion | None, terms: Terms, condition: ClickCondition) -> Settlement:
    """The settlement of a conversion that enters the ledger with a row of its own."""
    conversion = conversion.with_changes(earning_id=new_earning_id(conversion))
    row = conversion_row(conversion, by_hand=terms.is_reviewed)
    return _settlement(conversion, prior, terms, condition, new_earning=row)


def _resolve_pending(report: Report, terms: Terms, prior: Conversion, status: Status, moment: str) -> Settlement:
    """From pending: approved, rejected or trash; or still pending, because the money is held."""
    _check_unpaid(status, terms, prior)
    amount, hold = _approved_amount(report, terms, prior, status)
    status = Status.PENDING if hold else status
    conversion = _paid(_next(report, prior, status, moment).with_changes(hold_reason=hold, amount=amount), terms)
    if prior.user_id is None:
        return Settlement(status, conversion, prior)
    change = row_state(conversion, amount, by_hand=terms.is_reviewed)
    return _settlement(conversion, prior, terms, ClickCondition.UNCHANGED, earning_change=change)


def _reapprove(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    """From rejected or trash, where that may be taken back: the cancelled row stays, a new one is written."""
    _check_unpaid(Status.APPROVED, terms, prior)
    amount, hold = _approved_amount(report, terms, prior, Status.APPROVED)
    status = Status.PENDING if hold else Status.APPROVED
    conversion = _paid(_next(report, prior, status, moment).with_changes(hold_reason=hold, amount=amount), terms)
    if prior.user_id is None:
        return Settlement(status, conversion, prior)
    return _open_row(conversion, prior, terms, ClickCondition.UNCHANGED)


def _check_unpaid(status: Status, terms: Terms, prior: Conversion) -> None:
    """Raises where approving would pay a click a second time that may be paid once."""
    paid = terms.click is not None and terms.click.status is ClickStatus.CONVERTED and not prior.is_rebill
    if status is Status.APPROVED and paid and not terms.allows_many_conversions:
        raise ClickAlreadyConvertedError("another conversion of this click has been paid")


def _approved_amount(
    report: Report, terms: Terms, prior: Conversion, status: Status
) -> tuple[Decimal, HoldReason | None]:
    """The amount, new only if it comes with an approval and in the same currency; and why it must wait, if it must."""
    amount = prior.amount if report.amount is None or status is not Status.APPROVED else report.amount
    hold = _hold_reason(report, terms, status, amount, prior.currency)
    if status is Status.APPROVED and prior.user_id is not None and terms.user_id is None:
        hold = HoldReason.MANUAL_APPROVAL  # its click is gone, and with it the product's rules
    return prior.amount if hold is HoldReason.CURRENCY_MISMATCH else amount, hold


def _reverse(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    """Takes back what was credited or is owed, or the part that the source names; what is left stays approved."""
    partial = _is_partial(report, prior)
    back = report.amount if partial and report.amount is not None else prior.credited + prior.owed
    conversion = _next(report, prior, Status.APPROVED if partial else Status.REVERSED, moment)
    if partial:
        conversion = conversion.with_changes(reported=prior.reported)
    if prior.user_id is None:
        return Settlement("reversed", conversion, prior)
    if prior.credit_after is not None:
        return _reduce_owed(back, conversion, prior, terms)
    conversion = conversion.with_changes(credited=prior.credited - back)
    row = contra_row(conversion, back, report.source_status)
    settlement = _settlement(conversion, prior, terms, ClickCondition.UNCHANGED, new_earning=row)
    return replace(settlement, outcome="reversed")


def _reduce_owed(back: Decimal, conversion: Conversion, prior: Conversion, terms: Terms) -> Settlement:
    """Of a reversal before anything was credited: no contra row is needed, the pending one shrinks or is cancelled."""
    rest, is_over = prior.owed - back, conversion.status is Status.REVERSED
    conversion = conversion.with_changes(owed=rest, credit_after=None if is_over else prior.credit_after)
    change = row_state(conversion, prior.owed if is_over else rest)
    settlement = _settlement(conversion, prior, terms, ClickCondition.UNCHANGED, earning_change=change)
    return replace(settlement, outcome="reversed")


def _is_partial(report: Report, prior: Conversion) -> bool:
    """Whether a reversal names less than what is still credited or owed."""
    return (
        report.status is Status.REVERSED
        and prior.status is Status.APPROVED
        and report.amount is not None
        and ZERO < report.amount < prior.credited + prior.owed
    )


def _next(report: Report, prior: Conversion, status: Status, moment: str) -> Conversion:
    if status is not prior.status:
        prior = prior.with_changes(
            version=prior.version + 1,
            versions=(*prior.versions, prior.as_past),
            version_at=moment,
            changed_by=report.changed_by,
        )
    moved = prior.with_changes(status=status, updated_at=moment)
    if report.changed_by is not None:
        return moved  # what the source said, it has still said
    return moved.with_changes(
        source_status=report.source_status,
        reported=report.status,
        reports=(*prior.reports, report.key),
        payout=prior.payout if report.payout is None or report.status is Status.REVERSED else report.payout,
    )


def _paid(conversion: Conversion, terms: Terms) -> Conversion:
    """With its amount credited if it is approved, or owed until the product's days are over."""
    if conversion.user_id is None or conversion.status is not Status.APPROVED:
        return conversion
    moment = conversion.updated_at
    if terms.hold_days:
        credit_after = times.plus(moment, days=terms.hold_days)
        return conversion.with_changes(owed=conversion.amount, credit_after=credit_after)
    return conversion.with_changes(credited=conversion.amount, credited_at=conversion.credited_at or moment)


def _settlement(
    conversion: Conversion,
    prior: Conversion | None,
    terms: Terms,
    condition: ClickCondition,
    *,
    new_earning: Earning | None = None,
    earning_change: EarningState | None = None,
) -> Settlement:
    return Settlement(
        outcome=_outcome(conversion),
        conversion=conversion,
        prior=prior,
        click=_click_change(conversion, terms, condition),
        new_earning=new_earning,
        earning_change=earning_change,
        wallet_change=wallet_change(conversion, prior),
        counts=_counts(conversion, prior, terms),
    )


def _counts(conversion: Conversion, prior: Conversion | None, terms: Terms) -> tuple[Count, ...]:
    """Conversions count when they are approved, and go on counting when they are reversed."""
    was_approved = prior is not None and prior.status is Status.APPROVED
    if terms.product is None or was_approved or conversion.status is not Status.APPROVED:
        return ()
    user_id, moment = conversion.user_id or "", conversion.updated_at
    return tuple(caps.counts(terms.product, user_id, moment, enforced=not terms.is_reviewed))


def _outcome(conversion: Conversion) -> str:
    if conversion.status is Status.APPROVED:
        return "credited" if conversion.credit_after is None else "credit_later"
    return "held" if conversion.hold_reason else conversion.status


def _click_change(conversion: Conversion, terms: Terms, condition: ClickCondition) -> ClickChange | None:
    click = terms.click
    if click is None:
        return None
    is_paid = click.status is ClickStatus.CONVERTED
    outcome = outcome_of(conversion)
    if is_paid and not terms.allows_many_conversions and click.outcome and not _replaces(conversion, click.outcome):
        outcome = click.outcome  # what was paid is what the click led to
    return ClickChange(
        click_id=click.click_id,
        status=ClickStatus.CONVERTED if is_paid else CLICK_STATUS[conversion.status],
        outcome=outcome,
        closed=conversion.hold_reason is not None or terms.one_open_conversion,
        condition=condition,
        seen=click.status,
    )


def _replaces(conversion: Conversion, outcome: ClickResult) -> bool:
    """Whether a click that led to `outcome` led to this: to the same conversion, or to another that was approved."""
    was_approved = conversion.status is Status.APPROVED or conversion.credited_at is not None
    return was_approved or conversion.conversion_id == outcome.conversion_id


def _first_condition(report: Report, terms: Terms) -> ClickCondition:
    if report.is_rebill:
        return ClickCondition.EXISTS
    return ClickCondition.UNEXPIRED if terms.allows_many_conversions else ClickCondition.OPEN


def _amount(report: Report, terms: Terms) -> Decimal:
    """What it is worth: as reported, or what the product promised."""
    if report.amount is not None:
        return report.amount
    return terms.product.earn_up_to if terms.product else ZERO


def _hold_reason(report: Report, terms: Terms, status: Status, amount: Decimal, currency: str) -> HoldReason | None:
    """Why an approved amount, recorded in this currency, must wait for a person."""
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


def outcome_of(conversion: Conversion) -> ClickResult:
    return ClickResult(
        conversion_id=conversion.conversion_id,
        source_conversion_id=conversion.source_conversion_id,
        earning_id=conversion.earning_id,
        status=conversion.status,
        amount=conversion.amount,
        report_key=conversion.reports[-1],
    )


def _shown_to_partners(click: Click | None, product: Product | None) -> dict[str, str | None]:
    """What partners' macros say of the click and its product, as it goes with the conversion."""
    of_product = {"offer_name": product.name[:OFFER_NAME_LENGTH]} if product else {}
    return of_product | ({name: getattr(click, name) for name in (*Tags.model_fields, "ip")} if click else {})


def _just_after(moment: str) -> str:
    return times.plus(moment, milliseconds=1)
