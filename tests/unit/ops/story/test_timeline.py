"""The story of a conversion: everything that was recorded, in order, short enough for one screen."""

import pytest

from ops import render
from ops.story import timeline
from ops.story.timeline import Story, events, summary
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


def test_events_are_in_the_order_in_which_they_happened(refunded):
    found = events(refunded)
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert [one.kind for one in found] == [
        *("click", "visit", "postback", "version 1", "earning", "commission", "part_1"),
        *("postback", "version 2", "earning", "part_1"),
    ]


def test_a_story_names_who_what_and_how_much(refunded):
    lines = {f"{one.kind} {one.at}": one.text for one in events(refunded)}
    assert lines[f"click {NOON}"] == f"{CLICK_ID} on prod_1 by user_1"
    assert lines[f"postback {SALE}"] == "credited (network:n, RCPT-credited)"
    assert lines[f"version 1 {SALE}"] == 'approved, "SALE", 5.00 USD'
    assert lines[f"version 2 {REFUND}"] == 'reversed, "RFND", 5.00 USD'
    assert lines[f"earning {REFUND}"] == "-5.00 USD completed (reversal, RFND, EARN--5)"
    assert lines[f"commission {SALE}"] == "+0.50 USD completed (to user_2, EARN-0.5)"


def test_each_attempt_is_shown_with_the_wait_before_it(refunded):
    (delivered, waiting) = [one.text for one in events(refunded) if one.kind == "part_1"]
    assert delivered == (
        "version 1 (Purchase) delivered: 500 (6 ms), after 2 s ReadTimeout (15000 ms), after 5 min 200 (1 ms)"
    )
    assert waiting == "version 2 (Purchase) retrying: not tried yet; held: paused; next at 03-01 13:05:00.000"


def test_last_attempt_is_shown_with_the_next_step(refunded):
    delivered, waiting = refunded.deliveries
    assert timeline.last_attempt(delivered) == "attempt 3: 200 (1 ms)"
    assert timeline.last_attempt(waiting) == "not tried yet; held: paused; next at 03-01 13:05:00.000"
    assert timeline.last_attempt(a_delivery(attempts=(an_attempt(410),), next_attempt_at=None, detail="why")) == (
        "410 (12 ms); why"
    )


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("ConnectionRefusedError", "ConnectionRefusedError"), (None, "ConnectionError: ConnectionRefusedError")],
)
def test_attempt_without_an_answer_shows_its_innermost_error(kind, shown):
    attempt = an_attempt(None, error="ConnectionError: ConnectionRefusedError", error_kind=kind)
    assert timeline.all_attempts(a_delivery(attempts=(attempt,))) == f"{shown} (12 ms)"


def test_summary_shows_the_current_state(refunded):
    assert summary(refunded) == {
        "conversion": "CONV-1 (transaction T-1)",
        "status": "reversed, version 2",
        "source": "product:prod_1",
        "user": "user_1",
        "money": "5.00 USD reported, 0.00 USD credited now",
    }


def test_held_money_shows_the_reason_and_a_change_shows_its_author():
    held = a_conversion(status=Status.PENDING, hold_reason=HoldReason.AMOUNT_OVER_CAP, changed_by="operator:me")
    assert summary(Story(None, held))["status"] == "pending, version 1, held: amount_over_cap"
    assert events(Story(None, held))[0].text.endswith("by operator:me")


@pytest.mark.parametrize(("by", "kind"), [("operator:me", "decision"), ("partner:acme", "reply")])
def test_decisions_and_replies_are_not_called_postbacks(by, kind):
    decided = receipt_of_decision(by, REFUND, "credited", conversion_id="CONV-1", detail="he called")
    event = events(Story(a_click(), receipts=(decided,)))[-1]
    assert (event.kind, event.text) == (kind, f"credited: he called ({by}, {decided.receipt_id})")


def test_delivery_name_is_the_one_that_commands_accept():
    assert timeline.delivery_name(a_delivery()) == "CONV-1/1/part_1"


def test_click_without_a_conversion_shows_why_its_postbacks_were_refused():
    refused = a_receipt(SALE, "click_expired", detail="this click expired")
    story = Story(a_click(), receipts=(refused,))
    assert summary(story) == {"conversion": "none: this click has no conversion"}
    assert events(story)[-1].text == "click_expired: this click expired (network:n, RCPT-click_expired)"


def test_json_has_the_names_of_the_api_and_no_user_address(refunded):
    shown = timeline.to_json(refunded)
    assert shown["conversion"]["conversionId"] == "CONV-1"
    assert shown["conversion"].keys().isdisjoint({"dayShard", "reports", "ip"})
    assert shown["deliveries"][0]["attempts"][0]["statusCode"] == 500
    assert shown["deliveries"][0].keys().isdisjoint({"partnerShard", "stateShard", "ttl"})
    assert shown["click"].keys().isdisjoint({"ip", "userAgent"})
    assert shown["referrerId"] == "user_2"
    assert timeline.to_json(Story(a_click()))["conversion"] is None


def test_amounts_show_cents_and_are_never_rounded():
    assert render.money(a_conversion(amount="4.025").amount, "USD") == "4.025 USD"
    assert render.money(a_conversion(amount="50").amount, "USD") == "50.00 USD"
