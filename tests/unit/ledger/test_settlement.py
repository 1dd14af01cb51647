"""How each kind of report changes the ledger."""

import contextlib
from decimal import Decimal

import pytest

from ricochet.clicks.click import ClickResult
from ricochet.clicks.product import Approval, PostbackAuth
from ricochet.errors import ClickAlreadyConvertedError, ClickExpiredError, ConflictError, ConflictingReplayError
from ricochet.intake.advertiser_source import advertiser_terms
from ricochet.ledger.consequences import click_result
from ricochet.ledger.conversion import HoldReason
from ricochet.ledger.earning import EarningType, WalletChange
from ricochet.ledger.settlement import check_open, repeats, settle
from ricochet.values import times
from ricochet.values.statuses import ApprovalStatus, ClickStatus, EarningStatus, Status
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, NOON, RATE, TOMORROW, InMemoryLedger, a_click, a_product, a_report

PENDING, APPROVED, REJECTED, TRASH, REVERSED = Status
OPEN = PostbackAuth(mode="open")
LATER = "2026-03-01T15:00:00.000Z"


def terms(click, product):
    return advertiser_terms(click, product, RATE)


def change(**deltas: int) -> WalletChange:
    return WalletChange(user_id="user_1", **{"currency": "USD"} | deltas)


# ------------------------------------------------------------------------------------------------ the first report


def test_an_approved_conversion_is_credited_at_once():
    settlement = InMemoryLedger().report(a_report(APPROVED, 3))
    conversion, earning = settlement.conversion, settlement.new_earning
    assert settlement.outcome == "credited"
    assert (conversion.status, conversion.version, conversion.credited, conversion.credited_at) == (
        *(APPROVED, 1, 3),
        IN_AN_HOUR,
    )
    assert (earning.type, earning.amount, earning.status) == (EarningType.CONVERSION, 3, EarningStatus.COMPLETED)
    assert (earning.approval_status, earning.credited_at) == (ApprovalStatus.AUTO_APPROVED, IN_AN_HOUR)
    assert (earning.earning_id, earning.reason) == (conversion.earning_id, None)
    assert settlement.wallet_change == change(balance=3, lifetime=3)
    assert (settlement.click.status, settlement.click.closed) == (ClickStatus.CONVERTED, False)
    assert settlement.earning_change is None


def test_without_an_amount_the_products_maximum_is_credited():
    settlement = InMemoryLedger(a_product(earn_up_to="7.25")).report(a_report(APPROVED, None))
    assert settlement.wallet_change.balance == Decimal("7.25")


def test_an_approved_amount_of_zero_changes_no_wallet():
    settlement = InMemoryLedger().report(a_report(APPROVED, 0))
    assert (settlement.outcome, settlement.wallet_change, settlement.conversion.credited) == ("credited", None, 0)


@pytest.mark.parametrize(
    ("reason", "product", "report"),
    [
        (HoldReason.AMOUNT_OVER_CAP, {}, {"amount": "5.000001"}),
        (HoldReason.CURRENCY_MISMATCH, {}, {"currency": "EUR"}),
        (HoldReason.MANUAL_APPROVAL, {"approval": Approval.MANUAL}, {}),
        (HoldReason.MANUAL_APPROVAL, {"postback_auth": OPEN}, {}),
    ],
)
def test_money_that_needs_a_person_is_held(reason, product, report):
    settlement = InMemoryLedger(a_product(**product)).report(a_report(APPROVED, **{"amount": 5} | report))
    amount, currency = Decimal(report.get("amount", 5)), report.get("currency", "USD")
    conversion, earning = settlement.conversion, settlement.new_earning
    assert settlement.outcome == "held"
    assert (conversion.status, conversion.reported, conversion.hold_reason) == (PENDING, APPROVED, reason)
    assert (conversion.credited, conversion.credited_at, conversion.source_status) == (0, None, "Purchase")
    assert (earning.status, earning.approval_status, earning.reason) == (
        *(EarningStatus.PENDING, ApprovalStatus.PENDING),
        reason,
    )
    assert settlement.wallet_change == change(pending=amount, currency=currency)
    assert (settlement.click.status, settlement.click.closed) == (ClickStatus.PENDING, True)


def test_an_open_product_credits_at_once_only_with_auto_approval():
    settlement = InMemoryLedger(a_product(postback_auth=OPEN, approval=Approval.AUTO)).report(a_report(APPROVED, 5))
    assert settlement.outcome == "credited"


def test_a_lead_is_pending_without_a_hold_reason():
    settlement = InMemoryLedger().report(a_report(PENDING, 4))
    assert (settlement.outcome, settlement.conversion.hold_reason) == ("pending", None)
    assert settlement.new_earning.status is EarningStatus.PENDING
    assert settlement.wallet_change == change(pending=4)
    assert (settlement.click.status, settlement.click.closed) == (ClickStatus.PENDING, False)


def test_a_lead_on_an_open_product_closes_the_click():
    assert InMemoryLedger(a_product(postback_auth=OPEN)).report(a_report(PENDING, 4)).click.closed


@pytest.mark.parametrize("status", [REJECTED, TRASH])
def test_a_rejected_conversion_is_recorded_and_pays_nothing(status):
    settlement = InMemoryLedger().report(a_report(status, 5))
    assert (settlement.outcome, settlement.conversion.status) == (status, status)
    assert settlement.new_earning.status is EarningStatus.CANCELLED
    assert settlement.new_earning.approval_status is ApprovalStatus.REJECTED
    assert (settlement.wallet_change, settlement.click.status) == (None, ClickStatus.REJECTED)


def test_a_conversion_has_the_tags_of_its_click():
    tags = {f"sub{number}": f"tag {number}" for number in range(1, 6)}
    click = a_click(
        subid="mine", offer_id="offer_9", ip="203.0.113.9", px="pixel", domain="d.example", country="DE", **tags
    )
    conversion = InMemoryLedger(click=click).report(a_report()).conversion
    assert {name: getattr(conversion, name) for name in tags} == tags
    assert (conversion.subid, conversion.offer_id, conversion.ip) == ("mine", "offer_9", "203.0.113.9")
    assert (conversion.px, conversion.domain, conversion.user_id) == ("pixel", "d.example", "user_1")
    assert (conversion.country, conversion.offer_name) == ("DE", "Shop")


def test_the_offer_of_the_report_overrides_that_of_the_click():
    conversion = InMemoryLedger(click=a_click(offer_id="offer_9")).report(a_report(offer_id="offer_1")).conversion
    assert conversion.offer_id == "offer_1"


@pytest.mark.parametrize(("own", "applied"), [(None, RATE), ("0", 0), ("0.25", Decimal("0.25"))])
def test_the_commission_rate_of_the_product_overrides_the_default(own, applied):
    conversion = InMemoryLedger(a_product(referral_rate=own)).report(a_report()).conversion
    assert conversion.referral_rate == applied


def test_settling_twice_gives_the_same_rows():
    def decide():
        return settle(a_report(APPROVED, 3), terms(a_click(), a_product()), None, IN_AN_HOUR)

    assert decide() == decide()


# ------------------------------------------------------------------------------------------------ the click is open


def test_a_report_that_arrived_in_time_is_processed_later_without_expiring():
    report = a_report(received_at="2026-03-02T11:59:59.999Z")
    assert settle(report, terms(a_click(), a_product()), None, "2026-03-05T00:00:00.000Z").outcome == "credited"


@pytest.mark.parametrize("received_at", [TOMORROW, "2026-03-02T12:00:00.001Z"])
def test_an_expired_click_is_refused(received_at):
    with pytest.raises(ClickExpiredError, match=TOMORROW):
        settle(a_report(received_at=received_at), terms(a_click(), a_product()), None, IN_AN_HOUR)


def test_a_known_conversion_changes_after_its_click_expired():
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING))
    settlement = ledger.report(a_report(APPROVED, received_at="2026-06-01T00:00:00.000Z"), "2026-06-01T00:00:00.000Z")
    assert settlement.outcome == "credited"


@pytest.mark.parametrize("first", [APPROVED, REJECTED, TRASH])
def test_a_converted_click_cannot_start_a_second_conversion(first):
    ledger = InMemoryLedger()
    ledger.report(a_report(first))
    with pytest.raises(ClickAlreadyConvertedError):
        ledger.report(a_report(APPROVED, transaction_id="T-2"))


def test_a_held_conversion_keeps_its_click_closed():
    ledger = InMemoryLedger(a_product(approval=Approval.MANUAL))
    ledger.report(a_report())
    with pytest.raises(ClickAlreadyConvertedError):
        ledger.report(a_report(transaction_id="T-2"))


def test_a_converted_click_is_reported_as_converted_even_after_it_expired():
    with pytest.raises(ClickAlreadyConvertedError):
        check_open(
            a_report(received_at="2027-01-01T00:00:00.000Z"), terms(a_click(status=ClickStatus.CONVERTED), a_product())
        )


def test_a_product_may_accept_many_conversions_of_one_click():
    ledger = InMemoryLedger(a_product(multiple_conversions=True))
    settlements = [ledger.report(a_report(APPROVED, 2, transaction_id=f"T-{number}")) for number in range(4)]
    assert [settlement.outcome for settlement in settlements] == ["credited"] * 4
    assert ledger.balance["USD"] == 8
    with pytest.raises(ClickExpiredError):
        ledger.report(a_report(transaction_id="T-9", received_at=TOMORROW))


def test_a_converted_click_stays_converted_when_a_further_conversion_fails():
    ledger = InMemoryLedger(a_product(multiple_conversions=True))
    ledger.report(a_report(APPROVED))
    assert ledger.report(a_report(REJECTED, transaction_id="T-2")).click.status is ClickStatus.CONVERTED


@pytest.mark.parametrize(("status", "becomes"), [(PENDING, ClickStatus.PENDING), (REJECTED, ClickStatus.REJECTED)])
def test_a_click_with_many_conversions_still_expires(status, becomes):
    assert InMemoryLedger(a_product(multiple_conversions=True)).report(a_report(status)).click.status is becomes


@pytest.mark.parametrize("second", [PENDING, APPROVED])
def test_a_single_conversion_click_is_paid_once(second):
    ledger = InMemoryLedger()
    for report in (
        a_report(PENDING, transaction_id="T-1"),
        a_report(second, transaction_id="T-2"),
        a_report(APPROVED, transaction_id="T-1"),
        a_report(APPROVED, transaction_id="T-2"),
    ):
        with contextlib.suppress(ConflictError):
            ledger.report(report)
    assert ledger.balance["USD"] == 5


# ------------------------------------------------------------------------------------------------ moving on


def test_a_lead_becomes_a_purchase():
    ledger = InMemoryLedger()
    lead = ledger.report(a_report(PENDING, 4))
    settlement = ledger.report(a_report(APPROVED, 4), LATER)
    assert (settlement.outcome, settlement.new_earning) == ("credited", None)
    assert (settlement.conversion.version, settlement.conversion.credited_at) == (2, LATER)
    assert settlement.earning_change.earning_id == lead.new_earning.earning_id
    assert settlement.earning_change.approval_status is ApprovalStatus.AUTO_APPROVED
    assert settlement.earning_change.credited_at == LATER
    assert settlement.wallet_change == change(balance=4, lifetime=4, pending=-4)
    assert settlement.click.status is ClickStatus.CONVERTED


@pytest.mark.parametrize(("said", "credited"), [(None, 4), (3, 3), (5, 5)])
def test_the_purchase_decides_the_amount(said, credited):
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING, 4))
    settlement = ledger.report(a_report(APPROVED, said))
    assert settlement.wallet_change == change(balance=credited, lifetime=credited, pending=-4)
    assert settlement.conversion.amount == settlement.earning_change.amount == credited


@pytest.mark.parametrize(
    ("first", "second", "kept"), [(None, "7", 7), ("6", "7", 7), ("6", None, 6), (None, None, None)]
)
def test_the_latest_reported_payout_is_kept(first, second, kept):
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING, payout=first))
    assert ledger.report(a_report(APPROVED, payout=second)).conversion.payout == kept


@pytest.mark.parametrize(
    ("product", "amount", "reason"),
    [({}, 6, HoldReason.AMOUNT_OVER_CAP), ({"approval": Approval.MANUAL}, 4, HoldReason.MANUAL_APPROVAL)],
)
def test_a_purchase_after_a_lead_is_held_for_the_same_reasons(product, amount, reason):
    ledger = InMemoryLedger(a_product(**product))
    ledger.report(a_report(PENDING, 4))
    settlement = ledger.report(a_report(APPROVED, amount))
    conversion = settlement.conversion
    assert (settlement.outcome, conversion.status, conversion.reported) == ("held", PENDING, APPROVED)
    assert (conversion.version, conversion.hold_reason, settlement.earning_change.reason) == (1, reason, reason)
    assert (ledger.pending["USD"], ledger.balance["USD"], settlement.click.closed) == (amount, 0, True)


@pytest.mark.parametrize(("status", "becomes"), [(REJECTED, REJECTED), (TRASH, TRASH), (REVERSED, REJECTED)])
@pytest.mark.parametrize("first", [PENDING, APPROVED], ids=["lead", "held"])
def test_a_reversal_before_any_credit_cancels_the_row(first, status, becomes):
    ledger = InMemoryLedger(a_product(approval=Approval.MANUAL))
    ledger.report(a_report(first, 4))
    settlement = ledger.report(a_report(status, 1))
    assert (settlement.outcome, settlement.conversion.status, settlement.conversion.version) == (becomes, becomes, 2)
    assert settlement.conversion.hold_reason is None
    assert settlement.earning_change.status is EarningStatus.CANCELLED
    assert (settlement.earning_change.amount, settlement.earning_change.credited_at) == (4, None)
    assert settlement.earning_change.approval_status is ApprovalStatus.REJECTED
    assert settlement.wallet_change == change(pending=-4)
    assert settlement.click.status is ClickStatus.REJECTED


@pytest.mark.parametrize("status", [REVERSED, REJECTED, TRASH])
def test_a_reversal_takes_back_exactly_what_was_credited(status):
    ledger = InMemoryLedger()
    credit = ledger.report(a_report(APPROVED, 4))
    settlement = ledger.report(a_report(status), LATER)
    contra = settlement.new_earning
    assert (settlement.outcome, settlement.conversion.status, settlement.conversion.version) == (
        *("reversed", REVERSED),
        2,
    )
    assert (settlement.conversion.credited, settlement.conversion.credited_at) == (0, IN_AN_HOUR)
    assert (contra.type, contra.amount, contra.status) == (EarningType.REVERSAL, -4, EarningStatus.COMPLETED)
    assert (contra.reason, contra.earned_at, contra.credited_at) == (status.lead_word, LATER, LATER)
    assert contra.earning_id != credit.new_earning.earning_id
    assert settlement.wallet_change == change(balance=-4)
    assert (settlement.earning_change, settlement.click.status) == (None, ClickStatus.CONVERTED)


def test_a_reversed_conversion_is_not_credited_again():
    ledger = InMemoryLedger()
    for status in (APPROVED, REVERSED):
        ledger.report(a_report(status))
    assert ledger.report(a_report(APPROVED)).is_repeat
    assert ledger.report(a_report(APPROVED, source_status="sale")).is_ignored
    assert (ledger.balance["USD"], ledger.lifetime["USD"]) == (0, 5)


def test_a_refund_before_the_sale_leaves_a_tombstone():
    ledger = InMemoryLedger()
    tombstone = ledger.report(a_report(REVERSED, 5))
    assert (tombstone.outcome, tombstone.wallet_change, tombstone.new_earning) == ("tombstone", None, None)
    sale = ledger.report(a_report(APPROVED, 5))
    assert (sale.outcome, sale.new_earning.status) == ("reversed", EarningStatus.CANCELLED)
    assert sale.click.outcome.status is REVERSED
    assert ledger.report(a_report(APPROVED, 5)).is_repeat
    assert ledger.balance["USD"] == ledger.lifetime["USD"] == 0


def test_a_partial_reversal_leaves_the_rest():
    ledger = InMemoryLedger()
    ledger.report(a_report(APPROVED, 5))
    partial = ledger.report(a_report(REVERSED, 2), LATER)
    assert (partial.conversion.status, partial.conversion.credited, partial.conversion.version) == (APPROVED, 3, 1)
    assert ledger.report(a_report(REVERSED, 2), LATER).is_repeat
    rest = ledger.report(a_report(REVERSED, 3), LATER)
    assert (rest.conversion.status, rest.conversion.credited) == (REVERSED, 0)
    assert (ledger.balance["USD"], ledger.lifetime["USD"]) == (0, 5)


@pytest.mark.parametrize("first", [APPROVED, REJECTED, TRASH])
def test_a_late_lead_is_ignored(first):
    ledger = InMemoryLedger()
    before = ledger.report(a_report(first, 5)).conversion
    settlement = ledger.report(a_report(PENDING, 3))
    assert settlement.is_ignored
    assert (settlement.conversion, settlement.wallet_change) == (before, None)


def test_a_late_lead_does_not_release_held_money():
    ledger = InMemoryLedger(a_product(approval=Approval.MANUAL))
    ledger.report(a_report(APPROVED))
    assert ledger.report(a_report(PENDING)).is_ignored
    assert ledger.report(a_report(APPROVED)).is_repeat


@pytest.mark.parametrize("refusal", [REJECTED, TRASH])
def test_a_rejected_conversion_is_not_approved_by_default(refusal):
    ledger = InMemoryLedger()
    ledger.report(a_report(refusal))
    assert ledger.report(a_report(APPROVED)).is_ignored
    assert ledger.balance["USD"] == 0


def test_each_change_is_later_than_the_last_even_if_the_clock_stands_still():
    ledger = InMemoryLedger()
    moments = [
        ledger.report(a_report(status), IN_AN_HOUR).conversion.updated_at for status in (PENDING, APPROVED, TRASH)
    ]
    assert moments == [times.plus(IN_AN_HOUR, milliseconds=step) for step in range(3)]


# ------------------------------------------------------------------------------------------------ earlier versions


def test_a_new_conversion_has_no_earlier_versions():
    conversion = InMemoryLedger().report(a_report(PENDING, 4)).conversion
    assert (conversion.version, conversion.versions, conversion.changed_by) == (1, (), None)


def test_a_conversion_keeps_its_earlier_versions():
    ledger = InMemoryLedger()
    lead = ledger.report(a_report(PENDING, 4, payout="6")).conversion
    purchase = ledger.report(a_report(APPROVED, 3, payout="7"), LATER).conversion
    refund = ledger.report(a_report(REVERSED, changed_by="partner:part_1")).conversion
    assert refund.versions == (lead.as_past, purchase.as_past)
    first, second = refund.versions
    assert (first.version, first.status, first.source_status, first.at) == (1, PENDING, "Lead", IN_AN_HOUR)
    assert (first.amount, first.payout, second.amount, second.payout) == (4, 6, 3, 7)
    assert (second.version, second.status, second.at, second.changed_by) == (2, APPROVED, LATER, None)
    assert (refund.version, refund.changed_by) == (3, "partner:part_1")


def test_holds_and_partial_refunds_make_no_new_version():
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING, 4))
    assert ledger.report(a_report(APPROVED, 6)).conversion.versions == ()
    ledger = InMemoryLedger()
    ledger.report(a_report(APPROVED, 4))
    assert ledger.report(a_report(REVERSED, 1, changed_by="partner:part_1")).conversion.changed_by is None


# ------------------------------------------------------------------------------------------------ the money's currency


@pytest.mark.parametrize(("lead", "purchase"), [("COINS", "USD"), ("COINS", None), ("USD", "COINS"), (None, "COINS")])
def test_money_is_credited_in_the_products_currency_only(lead, purchase):
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING, 3, currency=lead))
    ledger.report(a_report(APPROVED, 5, currency=purchase))
    assert {currency for currency, balance in ledger.balance.items() if balance} <= {"USD"}


def test_an_amount_keeps_the_currency_it_was_reported_in():
    ledger = InMemoryLedger()
    ledger.report(a_report(PENDING, 3))
    settlement = ledger.report(a_report(APPROVED, 400, currency="COINS"))
    assert (settlement.conversion.amount, settlement.conversion.currency) != (400, "USD")
    assert ledger.pending["USD"] < 400


# ------------------------------------------------------------------------------------------------ repeats and conflicts


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("said", [None, 5])
def test_a_repeated_report_changes_nothing(status, said):
    ledger = InMemoryLedger()
    first = ledger.report(a_report(status, 5))
    again = ledger.report(a_report(status, said), LATER)
    assert again.is_repeat
    assert again.conversion == first.conversion
    assert (again.new_earning, again.earning_change, again.wallet_change) == (None, None, None)


@pytest.mark.parametrize(
    ("first", "second"),
    [((APPROVED, 5), (REVERSED, 2)), ((PENDING, 5), (REJECTED, 0)), ((APPROVED, 5), (REJECTED, 0))],
    ids=["partial refund", "rejected for nothing", "taken back for nothing"],
)
def test_a_repeated_rejection_is_a_repeat_whatever_its_amount(first, second):
    ledger = InMemoryLedger()
    ledger.report(a_report(*first))
    ledger.report(a_report(*second))
    assert ledger.report(a_report(*second)).is_repeat


@pytest.mark.parametrize("status", [PENDING, APPROVED])
def test_the_same_transaction_with_another_amount_is_a_conflict(status):
    ledger = InMemoryLedger()
    ledger.report(a_report(status, 4))
    with pytest.raises(ConflictingReplayError, match="amount"):
        ledger.report(a_report(status, 3))


@pytest.mark.parametrize("status", Status)
def test_the_same_transaction_with_another_click_is_a_conflict(status):
    ledger = InMemoryLedger()
    known = ledger.report(a_report(APPROVED)).conversion
    other = "00000000-2fa1-4d1a-883f-0016d3cca427"
    report = a_report(status, click_id=other)
    with pytest.raises(ConflictingReplayError, match="click"):
        settle(report, terms(a_click(click_id=other), a_product()), known, IN_AN_HOUR)


@pytest.mark.parametrize(
    ("report", "is_one"),
    [
        ({"amount": 5}, True),
        ({}, False),
        ({"amount": 4}, False),
        ({"source_status": "sale"}, False),
        ({"status": REJECTED, "source_status": "Reject"}, False),
        ({"transaction_id": "T-2"}, False),
        ({"event": "level 2"}, False),
        ({"source": "network:n"}, False),
    ],
)
def test_an_exact_repeat_is_recognised_from_the_click_alone(report, is_one):
    outcome = InMemoryLedger().report(a_report(APPROVED, 5)).click.outcome
    assert repeats(a_report(**report), outcome) is is_one


def test_the_click_stores_its_result():
    conversion = InMemoryLedger().report(a_report(APPROVED, 5, source_conversion_id="theirs")).conversion
    assert click_result(conversion) == ClickResult(
        conversion_id=conversion.conversion_id,
        source_conversion_id="theirs",
        earning_id=conversion.earning_id,
        status=APPROVED,
        amount=5,
        report_key=a_report(APPROVED, 5).key,
    )


# ------------------------------------------------------------------------------------------------ which conversion


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {"amount": 3, "status": REJECTED, "received_at": NOON, "source_conversion_id": "C-1"}, True),
        ({}, {"transaction_id": "T-2"}, False),
        ({}, {"event": "level 2"}, False),
        ({}, {"source": "product:prod_2"}, False),
        ({"transaction_id": None, "source_conversion_id": "C-1"}, {"transaction_id": None}, False),
        ({"transaction_id": None}, {"transaction_id": None, "event": ""}, True),
        ({"transaction_id": None}, {"transaction_id": None, "event": "level 2"}, False),
        ({"transaction_id": None}, {"transaction_id": None, "click_id": "other"}, False),
        ({"transaction_id": CLICK_ID}, {"transaction_id": None}, False),
        ({"transaction_id": "C-1"}, {"transaction_id": None, "source_conversion_id": "C-1"}, False),
    ],
)
def test_a_conversion_is_identified_by_transaction_then_source_id_then_click_and_event(one, other, same):
    assert (a_report(**one).conversion_id == a_report(**other).conversion_id) is same
