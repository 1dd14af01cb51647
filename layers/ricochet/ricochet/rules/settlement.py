"""What a reported conversion does to the ledger: the heart of Ricochet, without any input or output."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ricochet.errors import ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError
from ricochet.models import ids, times
from ricochet.models.click import Click, ClickStatus, Outcome
from ricochet.models.conversion import Conversion, HoldReason, Report
from ricochet.models.earning import ApprovalStatus, Earning, EarningStatus, EarningType, WalletChange
from ricochet.models.entity import Entity
from ricochet.models.money import Amount
from ricochet.models.product import Approval, AuthMode, Product
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

    outcome: str  # for the receipt: credited, held, pending, rejected, trash, reversed, ignored, repeat
    conversion: Conversion
    prior: Conversion | None
    click_status: ClickStatus
    click_outcome: Outcome
    click_closed: bool = False
    new_earning: Earning | None = None
    earning_change: EarningChange | None = None
    wallet_change: WalletChange | None = None

    @property
    def is_repeat(self) -> bool:
        return self.outcome == "repeat"

    @property
    def is_ignored(self) -> bool:
        return self.outcome == "ignored"


def settle(
    report: Report, click: Click, product: Product, prior: Conversion | None, default_rate: Decimal, moment: str
) -> Settlement:
    """What `report` means, given the click it names and the conversion's last known state (`prior`, None if new).

    ClickAlreadyConvertedError, ClickExpiredError, ConflictingReplayError where it may not mean anything.
    """
    if prior is None:
        return _begin(report, click, product, default_rate, moment)
    if prior.click_id != report.click_id:
        raise ConflictingReplayError("this transaction is known with another click")
    if report.status is prior.reported:
        if report.amount is not None and report.amount != prior.amount:
            raise ConflictingReplayError("this transaction is known with another amount")
        return _unchanged("repeat", prior, click)
    status = next_status(prior.status, report.status)
    if status is None:
        return _unchanged("ignored", prior, click)
    return _move(report, click, product, prior, status, max(moment, _just_after(prior.updated_at)))


def repeats(report: Report, outcome: Outcome) -> bool:
    """Whether `report` says only what the click already led to, so that nothing needs to be read to answer it."""
    return (
        report.conversion_id == outcome.conversion_id
        and report.source_status == outcome.source_status
        and (report.amount is None or report.amount == outcome.amount)
    )


def check_open(click: Click, product: Product, received_at: str) -> None:
    """Raises unless a first report of a conversion may start from this click."""
    taken = click.status is not ClickStatus.PENDING or click.closed
    if taken and not product.multiple_conversions:
        raise ClickAlreadyConvertedError("this click has led to a conversion already")
    if click.is_expired(received_at):
        raise ClickExpiredError(f"this click expired at {click.expires_at}")


def _begin(report: Report, click: Click, product: Product, default_rate: Decimal, moment: str) -> Settlement:
    check_open(click, product, report.received_at)
    amount = product.earn_up_to if report.amount is None else report.amount
    currency = report.currency or product.currency
    hold = _hold_reason(product, report.status, amount, currency)
    status = Status.PENDING if hold else report.status
    earning_id = ids.earning_id(moment, report.conversion_id, 1)
    credited = amount if status is Status.APPROVED else Decimal(0)
    conversion = Conversion(
        conversion_id=report.conversion_id,
        source=report.source,
        source_conversion_id=report.source_conversion_id,
        transaction_id=report.transaction_id,
        event=report.event,
        status=status,
        source_status=report.source_status,
        reported=report.status,
        hold_reason=hold,
        version=1,
        click_id=click.click_id,
        user_id=click.user_id,
        product_id=click.product_id,
        offer_id=report.offer_id or click.offer_id,
        amount=amount,
        payout=report.payout,
        currency=currency,
        credited=credited,
        credited_at=moment if status is Status.APPROVED else None,
        referral_rate=product.commission_rate(default_rate),
        earning_id=earning_id,
        subid=click.subid,
        sub1=click.sub1,
        sub2=click.sub2,
        sub3=click.sub3,
        sub4=click.sub4,
        sub5=click.sub5,
        prelanding=click.prelanding,
        landing=click.landing,
        px=click.px,
        domain=click.domain,
        ip=click.ip,
        created_at=moment,
        updated_at=moment,
    )
    change = WalletChange(
        user_id=click.user_id,
        currency=currency,
        balance=credited,
        lifetime=credited,
        pending=amount if status is Status.PENDING else Decimal(0),
    )
    return _settlement(
        conversion,
        None,
        click,
        product,
        new_earning=_row(conversion, EarningType.CONVERSION, amount),
        wallet_change=change,
    )


def _move(report: Report, click: Click, product: Product, prior: Conversion, status: Status, moment: str) -> Settlement:
    if status is Status.REVERSED:
        return _reverse(report, click, product, prior, moment)
    amount = prior.amount if report.amount is None or status is not Status.APPROVED else report.amount
    hold = _hold_reason(product, status, amount, report.currency or prior.currency)
    if hold:
        status = Status.PENDING
    credited = amount if status is Status.APPROVED else Decimal(0)
    conversion = prior.with_changes(
        status=status,
        source_status=report.source_status,
        reported=report.status,
        hold_reason=hold,
        version=prior.version if status is prior.status else prior.version + 1,
        amount=amount,
        payout=report.payout or prior.payout,
        credited=credited,
        credited_at=(prior.credited_at or moment) if status is Status.APPROVED else prior.credited_at,
        updated_at=moment,
    )
    earning = EarningChange(
        user_id=prior.user_id,
        earning_id=prior.earning_id or "",
        amount=amount,
        status=EARNING_STATUS[status],
        approval_status=APPROVAL_STATUS[status],
        reason=hold,
        credited_at=moment if status is Status.APPROVED else None,
    )
    still_pending = amount if status is Status.PENDING else Decimal(0)
    change = WalletChange(
        user_id=prior.user_id,
        currency=prior.currency,
        balance=credited,
        lifetime=credited,
        pending=still_pending - prior.amount,
    )
    return _settlement(conversion, prior, click, product, earning_change=earning, wallet_change=change)


def _reverse(report: Report, click: Click, product: Product, prior: Conversion, moment: str) -> Settlement:
    conversion = prior.with_changes(
        status=Status.REVERSED,
        source_status=report.source_status,
        reported=report.status,
        version=prior.version + 1,
        credited=Decimal(0),
        updated_at=moment,
    )
    change = WalletChange(user_id=prior.user_id, currency=prior.currency, balance=-prior.credited)
    contra = _row(conversion, EarningType.REVERSAL, -prior.credited)
    return _settlement(conversion, prior, click, product, new_earning=contra, wallet_change=change)


def _settlement(
    conversion: Conversion,
    prior: Conversion | None,
    click: Click,
    product: Product,
    *,
    wallet_change: WalletChange,
    new_earning: Earning | None = None,
    earning_change: EarningChange | None = None,
) -> Settlement:
    held = conversion.hold_reason is not None
    outcome = {Status.APPROVED: "credited", Status.PENDING: "held" if held else "pending"}
    stays_converted = click.status is ClickStatus.CONVERTED and product.multiple_conversions
    return Settlement(
        outcome=outcome.get(conversion.status, conversion.status),
        conversion=conversion,
        prior=prior,
        click_status=ClickStatus.CONVERTED if stays_converted else CLICK_STATUS[conversion.status],
        click_outcome=outcome_of(conversion),
        click_closed=held or product.postback_auth.mode is AuthMode.OPEN,
        new_earning=new_earning,
        earning_change=earning_change,
        wallet_change=wallet_change if wallet_change.is_needed else None,
    )


def _unchanged(outcome: str, prior: Conversion, click: Click) -> Settlement:
    return Settlement(
        outcome=outcome,
        conversion=prior,
        prior=prior,
        click_status=click.status,
        click_outcome=outcome_of(prior),
    )


def _hold_reason(product: Product, status: Status, amount: Decimal, currency: str) -> HoldReason | None:
    """Why an approved amount must wait for a person, if it must."""
    if status is not Status.APPROVED:
        return None
    if currency != product.currency:
        return HoldReason.CURRENCY_MISMATCH
    if amount > product.earn_up_to:
        return HoldReason.AMOUNT_OVER_CAP
    return HoldReason.MANUAL_APPROVAL if product.effective_approval is Approval.MANUAL else None


def outcome_of(conversion: Conversion) -> Outcome:
    return Outcome(
        conversion_id=conversion.conversion_id,
        source_conversion_id=conversion.source_conversion_id,
        earning_id=conversion.earning_id,
        earning_status=EARNING_STATUS[conversion.status],
        status=conversion.status,
        source_status=conversion.source_status,
        amount=conversion.amount,
    )


def _row(conversion: Conversion, kind: EarningType, amount: Decimal) -> Earning:
    """The ledger row that goes with the conversion's present version."""
    reversal = kind is EarningType.REVERSAL
    status = EarningStatus.COMPLETED if reversal else EARNING_STATUS[conversion.status]
    return Earning(
        user_id=conversion.user_id,
        earning_id=ids.earning_id(conversion.updated_at, conversion.conversion_id, conversion.version),
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
