"""A conversion's story: everything that was recorded, in its order, and short enough for one screen."""

import pytest

from ops import render, story
from ops.story import Story, happenings, headline
from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.intake.raw_postback import receipt_of
from ricochet.ledger.conversion import HoldReason, PastVersion
from ricochet.ledger.earning import Earning, EarningType
from ricochet.ledger.receipt import receipt_of_decision
from ricochet.values import times
from ricochet.values.statuses import ApprovalStatus, EarningStatus, Status
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, NOON, a_click, a_conversion, a_delivery, a_postback, an_attempt

SALE = IN_AN_HOUR
REFUND = times.plus(SALE, minutes=5)


def an_earning(at: str, amount: str, kind: EarningType, **changes) -> Earning:
    fields = {
        "user_id": "user_1",
        "earning_id": f"EARN-{amount}",
        "type": kind,
        "amount": amount,
        "currency": "USD",
        "status": EarningStatus.COMPLETED,
        "approval_status": ApprovalStatus.AUTO_APPROVED,
        "conversion_id": "CONV-1",
        "earned_at": at,
    }
    return Earning(**fields | changes)


def a_receipt(at: str, outcome: str, **links):
    raw = a_postback(receipt_id=f"RCPT-{outcome}", received_at=at)
    return receipt_of(raw, outcome, trusted=True, secret_fields=frozenset(), source="network:n", **links)


@pytest.fixture
def refunded() -> Story:
    past = PastVersion(version=1, status=Status.APPROVED, source_status="SALE", amount=5, at=SALE)
    conversion = a_conversion(
        transaction_id="T-1",
        status=Status.REVERSED,
        source_status="RFND",
        version=2,
        versions=(past,),
        version_at=REFUND,
        credited=0,
        created_at=SALE,
        updated_at=REFUND,
    )
    tries = (
        an_attempt(500, at=SALE, ms=6),
        an_attempt(None, at=times.plus(SALE, seconds=2), error="ReadTimeout", ms=15000),
        an_attempt(200, at=times.plus(SALE, seconds=302), ms=1),
    )
    return Story(
        click=a_click(visits=2, first_visit_at=times.plus(NOON, seconds=1)),
        conversion=conversion,
        receipts=(a_receipt(SALE, "credited"), a_receipt(REFUND, "reversed")),
        earnings=(
            an_earning(SALE, "5", EarningType.CONVERSION),
            an_earning(REFUND, "-5", EarningType.REVERSAL, reason="RFND"),
        ),
        referrer_id="user_2",
        commissions=(an_earning(SALE, "0.5", EarningType.REFERRAL, user_id="user_2"),),
        deliveries=(
            a_delivery(state=DeliveryState.DELIVERED, attempts=tries, attempt_count=3, next_attempt_at=None),
            a_delivery(held_by=Hold.PAUSED, next_attempt_at=REFUND).with_changes(created_at=REFUND, version=2),
        ),
    )


def test_everything_is_told_in_the_order_in_which_it_happened(refunded):
    told = happenings(refunded)
    assert [one.at for one in told] == sorted(one.at for one in told)
    assert [one.what for one in told] == [
        *("click", "visit", "postback", "version 1", "earning", "commission", "part_1"),
        *("postback", "version 2", "earning", "part_1"),
    ]


def test_a_story_names_who_what_and_how_much(refunded):
    lines = {f"{one.what} {one.at}": one.text for one in happenings(refunded)}
    assert lines[f"click {NOON}"] == f"{CLICK_ID} on prod_1 by user_1"
    assert lines[f"postback {SALE}"] == "credited (network:n, RCPT-credited)"
    assert lines[f"version 1 {SALE}"] == 'approved, "SALE", 5.00 USD'
    assert lines[f"version 2 {REFUND}"] == 'reversed, "RFND", 5.00 USD'
    assert lines[f"earning {REFUND}"] == "-5.00 USD completed (reversal, RFND, EARN--5)"
    assert lines[f"commission {SALE}"] == "+0.50 USD completed (to user_2, EARN-0.5)"


def test_each_attempt_is_told_with_the_wait_before_it(refunded):
    (delivered, waiting) = [one.text for one in happenings(refunded) if one.what == "part_1"]
    assert delivered == (
        "version 1 (Purchase) delivered: 500 (6 ms), after 2 s ReadTimeout (15000 ms), after 5 min 200 (1 ms)"
    )
    assert waiting == "version 2 (Purchase) retrying: not tried yet; held: paused; next at 03-01 13:05:00.000"


def test_in_a_list_a_delivery_says_its_last_attempt_and_what_is_to_come(refunded):
    delivered, waiting = refunded.deliveries
    assert story.briefly(delivered) == "attempt 3: 200 (1 ms)"
    assert story.briefly(waiting) == "not tried yet; held: paused; next at 03-01 13:05:00.000"
    assert story.briefly(a_delivery(attempts=(an_attempt(410),), next_attempt_at=None, detail="why")) == (
        "410 (12 ms); why"
    )


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("ConnectionRefusedError", "ConnectionRefusedError"), (None, "ConnectionError: ConnectionRefusedError")],
)
def test_an_attempt_without_an_answer_shows_its_innermost_error(kind, shown):
    attempt = an_attempt(None, error="ConnectionError: ConnectionRefusedError", error_kind=kind)
    assert story.attempts(a_delivery(attempts=(attempt,))) == f"{shown} (12 ms)"


def test_the_headline_says_what_it_has_come_to(refunded):
    assert headline(refunded) == {
        "conversion": "CONV-1 (transaction T-1)",
        "status": "reversed, version 2",
        "source": "product:prod_1",
        "user": "user_1",
        "money": "5.00 USD reported, 0.00 USD credited now",
    }


def test_money_that_is_held_says_why_and_a_change_says_by_whom():
    held = a_conversion(status=Status.PENDING, hold_reason=HoldReason.AMOUNT_OVER_CAP, changed_by="operator:me")
    assert headline(Story(None, held))["status"] == "pending, version 1, held: amount_over_cap"
    assert happenings(Story(None, held))[0].text.endswith("by operator:me")


@pytest.mark.parametrize(("by", "what"), [("operator:me", "decision"), ("partner:acme", "reply")])
def test_what_an_operator_or_a_partner_said_is_no_postback(by, what):
    decided = receipt_of_decision(by, REFUND, "credited", conversion_id="CONV-1", detail="he called")
    told = happenings(Story(a_click(), receipts=(decided,)))[-1]
    assert (told.what, told.text) == (what, f"credited: he called ({by}, {decided.receipt_id})")


def test_a_delivery_is_named_by_what_commands_know_it_by():
    assert story.name(a_delivery()) == "CONV-1/1/part_1"


def test_a_click_that_led_to_nothing_tells_why():
    refused = a_receipt(SALE, "click_expired", detail="this click expired")
    told = Story(a_click(), receipts=(refused,))
    assert headline(told) == {"conversion": "none: this click has led to nothing"}
    assert happenings(told)[-1].text == "click_expired: this click expired (network:n, RCPT-click_expired)"


def test_json_has_the_names_of_the_api_and_no_address_of_the_user(refunded):
    shown = story.to_json(refunded)
    assert shown["conversion"]["conversionId"] == "CONV-1"
    assert shown["conversion"].keys().isdisjoint({"dayShard", "reports", "ip"})
    assert shown["deliveries"][0]["attempts"][0]["statusCode"] == 500
    assert shown["deliveries"][0].keys().isdisjoint({"partnerShard", "stateShard", "ttl"})
    assert shown["click"].keys().isdisjoint({"ip", "userAgent"})
    assert shown["referrerId"] == "user_2"
    assert story.to_json(Story(a_click()))["conversion"] is None


def test_amounts_have_cents_and_what_is_finer_is_not_rounded():
    assert render.money(a_conversion(amount="4.025").amount, "USD") == "4.025 USD"
    assert render.money(a_conversion(amount="50").amount, "USD") == "50.00 USD"
