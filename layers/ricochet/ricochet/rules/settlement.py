"""What a reported conversion does to the ledger: the heart of Ricochet, without any input or output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from ricochet.errors import ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError
from ricochet.models import ids, times
from ricochet.models.click import Click, ClickStatus, Outcome
from ricochet.models.conversion import Conversion, HoldReason, Report
from ricochet.models.earning import ApprovalStatus, Earning, EarningStatus, EarningType, WalletChange
from ricochet.models.entity import Entity
from ricochet.models.money import Amount
from ricochet.models.product import Product
from ricochet.models.statuses import Status, next_status

CLICK_STATUS = {
    Status.PENDING: ClickStatus.PENDING,
    Status.APPROVED: ClickStatus.CONVERTED,
    Status.REJECTED: ClickStatus.REJECTED,
    Status.TRASH: ClickStatus.REJECTED,
    Status.REVERSED: ClickStatus.CONVERTED,
}
EARNING_STATUS = {
    Status.PENDING: EarningStatus.PENDING,
    Status.APPROVED: EarningStatus.COMPLETED,
    Status.REJECTED: EarningStatus.CANCELLED,
    Status.TRASH: EarningStatus.CANCELLED,
    Status.REVERSED: EarningStatus.CANCELLED,
}
APPROVAL_STATUS = {
    Status.PENDING: ApprovalStatus.PENDING,
    Status.APPROVED: ApprovalStatus.AUTO_APPROVED,
    Status.REJECTED: ApprovalStatus.REJECTED,
    Status.TRASH: ApprovalStatus.REJECTED,
    Status.REVERSED: ApprovalStatus.REJECTED,
}
ZERO = Decimal(0)


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
    closes_click: bool = False  # no second conversion while the first is pending: anyone could report one

    def with_click(self, click: Click) -> Terms:
        return replace(self, click=click)

    @property
    def any_number(self) -> bool:
        """Whether the click may lead to any number of conversions."""
        return self.product is not None and self.product.multiple_conversions


def terms_of_click(click: Click, product: Product, default_rate: Decimal, **rules: bool) -> Terms:
    """The terms of a click's own user and product, and by which of the other rules."""
    return Terms(
        currency=product.currency,
        referral_rate=product.commission_rate(default_rate),
        user_id=click.user_id,
        click=click,
        product=product,
        **rules,
    )


class ClickCondition(Enum):
    """What a click must still be when it is written."""

    OPEN = "pending, not closed and not expired"
    UNEXPIRED = "not expired"
    UNCHANGED = "in the status that this was decided by"
    THERE = "there"


@dataclass(frozen=True)
class ClickChange:
    click_id: str
    status: ClickStatus
    outcome: Outcome
    closed: bool
    condition: ClickCondition
    seen: ClickStatus


class EarningChange(Entity):
    """How a row that is still pending ends; credited rows never change."""

    user_id: str
    earning_id: str
    amount: Amount
    status: EarningStatus
    approval_status: ApprovalStatus
    reason: str | None = None
    credited_at: str | None = None


@dataclass(frozen=True)
class Settlement:
    """One transaction to be: the conversion's next state and everything that moves with it."""

    outcome: str  # credited, held, pending, rejected, trash, reversed, tombstone, unmatched, ignored, repeat
    conversion: Conversion
    prior: Conversion | None
    click: ClickChange | None = None
    new_earning: Earning | None = None
    earning_change: EarningChange | None = None
    wallet_change: WalletChange | None = None

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
        return _begin(report, terms, moment)
    moment = max(moment, _just_after(prior.updated_at))
    if prior.is_tombstone:
        return _bury(report, terms, prior, moment)
    _check_same(report, prior)
    if _is_known(report, prior):
        return Settlement("repeat", prior, prior)
    return _continue(report, terms, prior, moment)


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


def _continue(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    status = next_status(prior.status, report.status, allow_reapproval=terms.allow_reapproval)
    if status is None:
        return Settlement("repeat" if report.key in prior.reports else "ignored", prior, prior)
    if status is Status.REVERSED:
        return _reverse(report, terms, prior, moment)
    if prior.status is Status.PENDING:
        return _move_on(report, terms, prior, status, moment)
    return _approve_again(report, terms, prior, moment)


def repeats(report: Report, outcome: Outcome) -> bool:
    """Whether `report` says only what the click already led to, so that nothing needs to be read to answer it."""
    return report.conversion_id == outcome.conversion_id and report.key == outcome.report_key


def check_open(report: Report, terms: Terms) -> None:
    """Raises unless a first report of a conversion may start from this click."""
    click = terms.click
    if click is None or report.is_rebill:
        return
    taken = click.status is not ClickStatus.PENDING or click.closed
    if taken and not terms.any_number:
        raise ClickAlreadyConvertedError("this click has led to a conversion already")
    if click.is_expired(report.received_at):
        raise ClickExpiredError(f"this click expired at {click.expires_at}")


def _check_same(report: Report, prior: Conversion) -> None:
    if report.click_id is not None and prior.click_id != report.click_id:
        raise ConflictingReplayError("this transaction is known with another click")
    if report.user_id is not None and prior.user_id is not None and prior.user_id != report.user_id:
        raise ConflictingReplayError("this transaction is known with another user")


def _begin(report: Report, terms: Terms, moment: str) -> Settlement:
    if report.status is not Status.REVERSED:
        check_open(report, terms)
    amount = _amount(report, terms)
    hold = _hold_reason(terms, report.status, amount, report.currency, report.currency or terms.currency)
    status = Status.PENDING if hold else report.status
    pays = terms.user_id is not None and status is Status.APPROVED
    click = terms.click
    conversion = Conversion(
        conversion_id=report.conversion_id,
        source=report.source,
        source_conversion_id=report.source_conversion_id,
        transaction_id=report.transaction_id,
        event=report.event,
        network_id=report.network_id,
        status=status,
        source_status=report.source_status,
        reported=report.status,
        reports=(report.key,),
        hold_reason=hold,
        version=1,
        changed_by=report.changed_by,
        click_id=report.click_id,
        user_id=terms.user_id,
        product_id=terms.product.product_id if terms.product else None,
        offer_id=report.offer_id or (click.offer_id if click else None),
        amount=amount,
        payout=report.payout,
        currency=report.currency or terms.currency,
        credited=amount if pays else ZERO,
        credited_at=moment if pays else None,
        referral_rate=terms.referral_rate,
        created_at=moment,
        updated_at=moment,
        **_tags(click),
    )
    if report.status is Status.REVERSED:
        return Settlement("tombstone", conversion.with_changes(is_tombstone=True), None)
    if terms.user_id is None:
        return Settlement("unmatched", conversion, None)
    return _open_row(conversion, None, terms, _first_condition(report, terms))


def _bury(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
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
        updated_at=moment,
        **_tags(terms.click),
    )
    if terms.user_id is None:
        return Settlement("reversed", conversion, prior)
    return _open_row(conversion, prior, terms, _first_condition(report, terms))


def _open_row(conversion: Conversion, prior: Conversion | None, terms: Terms, condition: ClickCondition) -> Settlement:
    """The settlement of a conversion that enters the ledger with a row of its own."""
    earning = _row(conversion, EarningType.CONVERSION, conversion.amount)
    conversion = conversion.with_changes(earning_id=earning.earning_id)
    change = _wallet_change(
        conversion,
        balance=conversion.credited,
        lifetime=conversion.credited,
        pending=conversion.amount if conversion.status is Status.PENDING else ZERO,
    )
    return _settlement(conversion, prior, terms, condition, new_earning=earning, wallet_change=change)


def _move_on(report: Report, terms: Terms, prior: Conversion, status: Status, moment: str) -> Settlement:
    """From pending: approved, rejected or trash; or still pending, because the money is held."""
    _check_unpaid(status, terms)
    amount, hold = _approved_amount(report, terms, prior, status)
    if hold:
        status = Status.PENDING
    pays = prior.user_id is not None and status is Status.APPROVED
    credited = amount if pays else ZERO
    conversion = _next(report, prior, status, moment).with_changes(
        hold_reason=hold,
        amount=amount,
        credited=credited,
        credited_at=moment if pays else prior.credited_at,
    )
    if prior.user_id is None:
        return Settlement(status, conversion, prior)
    earning = EarningChange(
        user_id=prior.user_id,
        earning_id=prior.earning_id or "",
        amount=amount,
        status=EARNING_STATUS[status],
        approval_status=APPROVAL_STATUS[status],
        reason=hold,
        credited_at=moment if pays else None,
    )
    still_pending = amount if status is Status.PENDING else ZERO
    change = _wallet_change(conversion, balance=credited, lifetime=credited, pending=still_pending - prior.amount)
    return _settlement(conversion, prior, terms, ClickCondition.UNCHANGED, earning_change=earning, wallet_change=change)


def _approve_again(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    """From rejected or trash, where the source may change its mind: the cancelled row stays, a new one is written."""
    _check_unpaid(Status.APPROVED, terms)
    amount, hold = _approved_amount(report, terms, prior, Status.APPROVED)
    status = Status.PENDING if hold else Status.APPROVED
    pays = prior.user_id is not None and not hold
    conversion = _next(report, prior, status, moment).with_changes(
        hold_reason=hold,
        amount=amount,
        credited=amount if pays else ZERO,
        credited_at=(prior.credited_at or moment) if pays else prior.credited_at,
    )
    if prior.user_id is None:
        return Settlement(status, conversion, prior)
    return _open_row(conversion, prior, terms, ClickCondition.UNCHANGED)


def _check_unpaid(status: Status, terms: Terms) -> None:
    """Raises where approving would pay a click a second time that may be paid once."""
    paid = terms.click is not None and terms.click.status is ClickStatus.CONVERTED
    if status is Status.APPROVED and paid and not terms.any_number:
        raise ClickAlreadyConvertedError("another conversion of this click has been paid")


def _approved_amount(
    report: Report, terms: Terms, prior: Conversion, status: Status
) -> tuple[Decimal, HoldReason | None]:
    """The amount, new only if it comes with an approval and in the same currency; and why it must wait, if it must."""
    amount = prior.amount if report.amount is None or status is not Status.APPROVED else report.amount
    hold = _hold_reason(terms, status, amount, report.currency, prior.currency)
    if status is Status.APPROVED and prior.user_id is not None and terms.user_id is None:
        hold = HoldReason.MANUAL_APPROVAL  # its click is gone, and with it the product's rules
    return prior.amount if hold is HoldReason.CURRENCY_MISMATCH else amount, hold


def _reverse(report: Report, terms: Terms, prior: Conversion, moment: str) -> Settlement:
    """Takes back what was credited, or the part that the source names; what is left stays approved."""
    partial = _is_partial(report, prior)
    back = report.amount if partial and report.amount is not None else prior.credited
    conversion = _next(report, prior, Status.APPROVED if partial else Status.REVERSED, moment).with_changes(
        credited=prior.credited - back, reported=prior.reported if partial else report.status
    )
    if prior.user_id is None:
        return Settlement("reversed", conversion, prior)
    return _settlement(
        conversion,
        prior,
        terms,
        ClickCondition.UNCHANGED,
        new_earning=_row(conversion, EarningType.REVERSAL, -back),
        wallet_change=_wallet_change(conversion, balance=-back),
        outcome="reversed",
    )


def _is_partial(report: Report, prior: Conversion) -> bool:
    """Whether a reversal names less than what is still credited."""
    return (
        report.status is Status.REVERSED
        and prior.status is Status.APPROVED
        and report.amount is not None
        and ZERO < report.amount < prior.credited
    )


def _next(report: Report, prior: Conversion, status: Status, moment: str) -> Conversion:
    if status is not prior.status:
        prior = prior.with_changes(
            version=prior.version + 1,
            versions=(*prior.versions, prior.as_past),
            version_at=moment,
            changed_by=report.changed_by,
        )
    return prior.with_changes(
        status=status,
        source_status=report.source_status,
        reported=report.status,
        reports=(*prior.reports, report.key),
        payout=prior.payout if report.payout is None or report.status is Status.REVERSED else report.payout,
        updated_at=moment,
    )


def _settlement(
    conversion: Conversion,
    prior: Conversion | None,
    terms: Terms,
    condition: ClickCondition,
    *,
    wallet_change: WalletChange,
    new_earning: Earning | None = None,
    earning_change: EarningChange | None = None,
    outcome: str | None = None,
) -> Settlement:
    return Settlement(
        outcome=outcome or _outcome_word(conversion),
        conversion=conversion,
        prior=prior,
        click=_click_change(conversion, terms, condition),
        new_earning=new_earning,
        earning_change=earning_change,
        wallet_change=wallet_change if wallet_change.is_needed else None,
    )


def _outcome_word(conversion: Conversion) -> str:
    if conversion.status is Status.APPROVED:
        return "credited"
    return "held" if conversion.hold_reason else conversion.status


def _click_change(conversion: Conversion, terms: Terms, condition: ClickCondition) -> ClickChange | None:
    click = terms.click
    if click is None:
        return None
    is_paid = click.status is ClickStatus.CONVERTED
    outcome = outcome_of(conversion)
    if is_paid and not terms.any_number and click.outcome and conversion.credited_at is None:
        outcome = click.outcome  # what was paid is what the click led to
    return ClickChange(
        click_id=click.click_id,
        status=ClickStatus.CONVERTED if is_paid else CLICK_STATUS[conversion.status],
        outcome=outcome,
        closed=conversion.hold_reason is not None or terms.closes_click,
        condition=condition,
        seen=click.status,
    )


def _first_condition(report: Report, terms: Terms) -> ClickCondition:
    if report.is_rebill:
        return ClickCondition.THERE
    return ClickCondition.UNEXPIRED if terms.any_number else ClickCondition.OPEN


def _amount(report: Report, terms: Terms) -> Decimal:
    """What it is worth: as reported, or what the product promised."""
    if report.amount is not None:
        return report.amount
    return terms.product.earn_up_to if terms.product else ZERO


def _hold_reason(terms: Terms, status: Status, amount: Decimal, said: str | None, recorded: str) -> HoldReason | None:
    """Why an approved amount, in a currency that was `said` and is to be `recorded`, must wait for a person."""
    if status is not Status.APPROVED or terms.user_id is None:
        return None
    if recorded != terms.currency or said not in (None, recorded):
        return HoldReason.CURRENCY_MISMATCH
    if terms.product is not None and amount > terms.product.earn_up_to:
        return HoldReason.AMOUNT_OVER_CAP
    return HoldReason.MANUAL_APPROVAL if terms.needs_approval else None


def outcome_of(conversion: Conversion) -> Outcome:
    return Outcome(
        conversion_id=conversion.conversion_id,
        source_conversion_id=conversion.source_conversion_id,
        earning_id=conversion.earning_id,
        status=conversion.status,
        amount=conversion.amount,
        report_key=conversion.reports[-1],
    )


def _tags(click: Click | None) -> dict[str, str | None]:
    """What partners' macros say of the click, as it goes with the conversion."""
    names = ("subid", "sub1", "sub2", "sub3", "sub4", "sub5", "prelanding", "landing", "px", "domain", "ip")
    return {name: getattr(click, name) for name in names} if click else {}


def _wallet_change(
    conversion: Conversion, *, balance: Decimal = ZERO, lifetime: Decimal = ZERO, pending: Decimal = ZERO
) -> WalletChange:
    return WalletChange(
        user_id=conversion.user_id or "",
        currency=conversion.currency,
        balance=balance,
        lifetime=lifetime,
        pending=pending,
    )


def _row(conversion: Conversion, kind: EarningType, amount: Decimal) -> Earning:
    """The ledger row that goes with the conversion's present version."""
    reversal = kind is EarningType.REVERSAL
    status = EarningStatus.COMPLETED if reversal else EARNING_STATUS[conversion.status]
    return Earning(
        user_id=conversion.user_id or "",
        earning_id=ids.earning_id(
            conversion.updated_at, conversion.conversion_id, conversion.version, len(conversion.reports)
        ),
        type=kind,
        amount=amount,
        currency=conversion.currency,
        status=status,
        approval_status=ApprovalStatus.AUTO_APPROVED if reversal else APPROVAL_STATUS[conversion.status],
        product_id=conversion.product_id,
        offer_id=conversion.offer_id,
        click_id=conversion.click_id,
        conversion_id=conversion.conversion_id,
        source_conversion_id=conversion.source_conversion_id,
        reason=conversion.hold_reason or (conversion.source_status if reversal else None),
        earned_at=conversion.updated_at,
        credited_at=conversion.updated_at if status is EarningStatus.COMPLETED else None,
    )


def _just_after(moment: str) -> str:
    return times.plus(moment, milliseconds=1)
