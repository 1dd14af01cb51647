"""Receiving an advertiser's postback, with tables in memory."""

from decimal import Decimal

import pytest

from ricochet.clicks.product import Caps, PostbackAuth
from ricochet.errors import (
    ClickIdRequiredError,
    ClickNotFoundError,
    InvalidAmountError,
    InvalidBodyError,
    InvalidClickIdError,
    InvalidCurrencyError,
    InvalidRequestError,
    LedgerBusyError,
    PostbackNotAuthenticatedError,
    RequestError,
    UnknownStatusError,
)
from ricochet.intake.advertiser_source import AdvertiserSource
from ricochet.intake.intake import Intake
from ricochet.intake.reply import Reported
from ricochet.ledger.conversion import HoldReason
from ricochet.ledger.transaction import CapReachedError, ClickTakenError, ConversionMovedError, Ledger
from ricochet.values.statuses import ClickStatus, Status
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, RATE, a_click, a_postback, a_product


class Tables:
    """Products, clicks, ledger and receipts in one; `interrupt` is raised by the next writes, one each."""

    apply = Ledger.apply

    def __init__(self, product=None, click=None):
        self.product, self.click = product or a_product(), click or a_click()
        self.conversions, self.receipts, self.written, self.interrupt = {}, [], [], []

    def cached_then_fresh(self, product_id):
        return iter([self.product] if product_id == self.product.product_id else [])

    def get(self, click_id):
        return self.click if click_id == self.click.click_id else None

    def conversion(self, conversion_id):
        return self.conversions.get(conversion_id)

    def put(self, receipt):
        self.receipts.append(receipt)

    def write(self, settlement, receipt):
        if self.interrupt:
            raise self.interrupt.pop(0)
        self.conversions[settlement.conversion.conversion_id] = settlement.conversion
        if change := settlement.click:
            self.click = self.click.with_changes(
                status=change.status, outcome=change.outcome, closed=change.closed or None
            )
        self.written.append((settlement, receipt))

    def receive(self, query="", **postback):
        return self.take(a_postback(query=f"click_id={CLICK_ID}&token=pbt_right&{query}", **postback))

    def take(self, raw):
        return Intake(self, self, clock=lambda: IN_AN_HOUR)(raw, AdvertiserSource(self, self, RATE))


def test_an_authenticated_postback_is_credited_and_answered():
    tables = Tables()
    reply = tables.receive(body=b'{"status": "sale", "amount": 2.5, "transactionId": "T-1", "conversionId": "theirs"}')
    settlement, receipt = tables.written[0]
    assert Reported.of(reply).to_json() == {
        "earningId": settlement.new_earning.earning_id,
        "clickId": CLICK_ID,
        "conversionId": "theirs",
        "status": "completed",
        "amount": 2.5,
    }
    assert (receipt.outcome, receipt.source, receipt.click_id) == ("credited", "product:prod_1", CLICK_ID)
    assert receipt.conversion_id == settlement.conversion.conversion_id
    assert tables.receipts == []


@pytest.mark.parametrize("query", ["", "status=&amount={payout}", "status=Purchase"])
def test_a_postback_without_fields_is_a_purchase_at_the_products_price(query):
    reply = Tables().receive(query)
    assert (reply.outcome, reply.led_to.amount) == ("credited", 5)


def test_the_token_may_be_sent_in_a_header():
    tables = Tables()
    raw = a_postback(query=f"click_id={CLICK_ID}", headers={"x-postback-token": "pbt_right"})
    assert tables.take(raw).outcome == "credited"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("transactionId=T", ("T", None)),
        ("transaction_id=T", ("T", None)),
        ("txid=T", ("T", None)),
        ("txn_id=T", ("T", None)),
        ("conversion_id=C", (None, "C")),
        ("transactionId=T&txid=other", ("T", None)),
    ],
)
def test_the_ids_of_the_source_are_accepted_under_several_names(names, found):
    tables = Tables()
    tables.receive(names)
    conversion = tables.written[0][0].conversion
    assert (conversion.transaction_id, conversion.source_conversion_id) == found


def test_a_repeat_gets_the_same_answer_and_writes_nothing():
    tables = Tables()
    first = tables.receive("txid=T&status=sale")
    again = tables.receive("txid=T&status=sale")
    assert Reported.of(again).to_json() == Reported.of(first).to_json() | {"duplicate": True}
    assert (len(tables.written), tables.receipts) == (1, [])


def test_a_late_lead_is_ignored_with_a_receipt():
    tables = Tables()
    tables.receive("txid=T&status=sale")
    reply = tables.receive("txid=T&status=lead")
    assert (reply.outcome, reply.is_duplicate, reply.led_to.status) == ("ignored", False, Status.APPROVED)
    assert [(receipt.outcome, receipt.detail) for receipt in tables.receipts] == [
        ("ignored", "pending changes nothing now")
    ]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("amount=abc", InvalidAmountError),
        ("amount=1e400", InvalidAmountError),
        ("currency=dollars%21", InvalidCurrencyError),
        ("status=2", UnknownStatusError),
        ("status=paid-out", UnknownStatusError),
        ("event=" + "x" * 129, InvalidRequestError),
        ("click_id=nonsense", InvalidClickIdError),
        ("click_id=00000000-0000-4000-8000-000000000000", ClickNotFoundError),
        ("token=wrong", PostbackNotAuthenticatedError),
    ],
)
def test_a_refused_postback_leaves_a_receipt_with_the_reason(query, refusal):
    tables = Tables()
    with pytest.raises(refusal) as refused:
        tables.receive(query)
    (receipt,) = tables.receipts
    assert (type(refused.value), receipt.outcome) == (refusal, refusal.code.lower())
    assert (receipt.detail, tables.written) == (refused.value.message, [])


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"amount": NaN}', InvalidAmountError),
        (b'{"amount": true}', InvalidAmountError),
        (b'{"amount": [1]}', InvalidAmountError),
        (b'{"amount": {"a": 1}}', InvalidAmountError),
        (b'{"currency": 840}', InvalidCurrencyError),
        (b'{"transactionId": ["T"]}', InvalidRequestError),
        (b'{"event": false}', InvalidRequestError),
        (b'{"status": {"a": 1}}', InvalidRequestError),
        (b"[1]", InvalidBodyError),
    ],
    ids=ascii,
)
def test_a_body_of_the_wrong_kind_is_refused(body, refusal):
    tables = Tables()
    with pytest.raises(refusal):
        tables.receive(body=body)
    assert tables.receipts[0].click_id == CLICK_ID


@pytest.mark.parametrize(
    "body",
    [b'{"transactionId": "\\ud800"}', b'{"event": "\\udfff"}', b'{"token": "\\ud800"}', b'{"offerId": "a\\ud800"}'],
    ids=ascii,
)
def test_a_text_that_cannot_be_stored_is_refused(body):
    with pytest.raises(RequestError):
        Tables().receive(body=body)


def test_a_click_id_is_required():
    tables = Tables()
    with pytest.raises(ClickIdRequiredError):
        tables.take(a_postback(query="token=pbt_right"))
    assert tables.receipts[0].outcome == "click_id_required"


def test_an_unauthenticated_sender_gets_no_information_and_fills_no_table():
    tables = Tables()
    with pytest.raises(PostbackNotAuthenticatedError):
        tables.receive("token=wrong", body=b'{"note": "' + b"x" * 100_000 + b'"}')
    assert len(tables.receipts[0].body) == 2048


@pytest.mark.parametrize("amount", ["5", "-5", "-5.0"])
def test_a_refunds_amount_may_have_either_sign(amount):
    tables = Tables()
    tables.receive("txid=T&status=sale&amount=5")
    reply = tables.receive(f"txid=T&status=refund&amount={amount}")
    assert (reply.outcome, tables.written[1][0].wallet_change.balance) == ("reversed", -5)


def test_a_negative_amount_is_refused_unless_the_status_is_a_reversal():
    tables = Tables()
    tables.receive("txid=T&amount=5")
    with pytest.raises(InvalidAmountError):
        tables.receive("txid=T&amount=-5")


def test_a_missing_status_is_the_products_default():
    tables = Tables(a_product(default_status=Status.PENDING))
    assert tables.receive("amount=1").outcome == "pending"


def test_a_product_may_restrict_the_senders_addresses():
    tables = Tables(a_product(postback_auth=PostbackAuth(mode="ip", allowed_cidrs=("192.0.2.0/24",))))
    assert tables.receive("token=wrong").outcome == "credited"
    with pytest.raises(PostbackNotAuthenticatedError):
        tables.receive(source_ip="198.51.100.1", headers={"x-forwarded-for": "192.0.2.7"})


def test_a_conversion_changed_in_between_is_settled_again():
    tables, other = Tables(), Tables()
    other.receive("txid=T&status=lead&amount=3")
    (lead,) = other.conversions.values()
    tables.interrupt = [ConversionMovedError(lead)]
    reply = tables.receive("txid=T&status=sale&amount=3")
    assert reply.outcome == "credited"
    assert tables.written[0][0].wallet_change.pending == Decimal(-3)
    assert tables.written[0][0].conversion.version == 2


def test_the_same_postback_at_the_same_time_is_a_repeat():
    tables, other = Tables(), Tables()
    other.receive("txid=T")
    tables.interrupt = [ConversionMovedError(next(iter(other.conversions.values())))]
    assert tables.receive("txid=T").is_duplicate
    assert tables.written == []


def test_a_click_converted_in_between_is_refused():
    tables = Tables()
    tables.interrupt = [ClickTakenError(a_click(status=ClickStatus.CONVERTED))]
    with pytest.raises(RequestError) as refused:
        tables.receive()
    assert refused.value.code == "CLICK_ALREADY_CONVERTED"
    assert tables.receipts[0].outcome == "click_already_converted"


def test_a_conversion_that_keeps_changing_is_left_for_a_later_retry():
    tables, other = Tables(), Tables()
    other.receive("txid=T&status=lead")
    (lead,) = other.conversions.values()
    tables.interrupt = [ConversionMovedError(lead.with_changes(version=number)) for number in range(1, 9)]
    with pytest.raises(LedgerBusyError):
        tables.receive("txid=T&status=sale")
    assert tables.receipts == []


def test_a_conversion_over_a_cap_is_held_when_it_is_settled_again():
    tables = Tables(a_product(caps=Caps(per_user=3)))
    tables.interrupt = [CapReachedError(HoldReason.OVER_USER_CAP)]
    reply = tables.receive("txid=T")
    assert (reply.outcome, Reported.of(reply).status) == ("held", "pending")
    settlement, receipt = tables.written[0]
    assert (settlement.conversion.hold_reason, settlement.counts) == (HoldReason.OVER_USER_CAP, ())
    assert receipt.outcome == "held"


def test_a_conversion_in_its_hold_days_is_completed_for_the_advertiser():
    reply = Tables(a_product(hold_days=7)).receive("txid=T")
    assert (reply.outcome, Reported.of(reply).status) == ("credit_later", "completed")


def test_a_replay_that_is_refused_keeps_the_whole_receipt():
    tables, body = Tables(), b"note=" + b"x" * 5000
    raw = a_postback(query="click_id=3b241101-e2bb-4255-8caf-4136c566a962", body=body)
    intake = Intake(tables, tables, clock=lambda: IN_AN_HOUR)
    with pytest.raises(RequestError) as refused:
        intake(raw, AdvertiserSource(tables, tables, RATE), is_vouched=True)
    assert (refused.value.code, refused.value.message) == ("CLICK_NOT_FOUND", "there is no such click")
    (receipt,) = tables.receipts
    assert (receipt.body, receipt.truncated) == (body, None)


def test_each_result_is_recorded_once():
    tables, records = Tables(), []
    source = AdvertiserSource(tables, tables, RATE)
    intake = Intake(tables, tables, clock=lambda: IN_AN_HOUR, record=records.append)
    intake(a_postback(query=f"click_id={CLICK_ID}&token=pbt_right&txid=T"), source)
    with pytest.raises(RequestError):
        intake(a_postback(query=f"click_id={CLICK_ID}&token=wrong"), source)
    tables.interrupt = [RuntimeError("no connection")]
    with pytest.raises(RuntimeError):
        intake(a_postback(query=f"click_id={CLICK_ID}&token=pbt_right&txid=T&status=refund"), source)
    assert [type(record).__name__ for record in records] == ["PostbackProcessed", "PostbackRefused", "PostbackFailed"]
    assert {record.claim.log_fields()["click_id"] for record in records} == {CLICK_ID}
