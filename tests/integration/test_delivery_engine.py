"""The deployed delivery engine: failing partners are left alone, nothing is lost, and gaps are found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from local.stack import Stack
from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.partners.partner_health import Breaker
from ricochet.dynamodb.wire import to_wire
from ricochet.values import times
from tests.integration.campaign import Campaign, path
from tests.integration.functions import invoke, withheld
from tests.integration.rows import Rows
from tests.waiting import eventually, never


@pytest.fixture
def release(stack):
    return lambda: invoke(stack, "ReleaseDueDeliveries")["released"]


def health(rows: Rows, partner_id: str) -> dict:
    return next(iter(rows.find("Health", subject=partner_id)), {})


def in_state(campaign: Campaign, state: DeliveryState) -> list[Delivery]:
    return [row for row in campaign.all_deliveries() if row.state is state]


def test_a_partner_that_is_down_is_left_alone_and_receives_everything_when_it_recovers(
    campaign, partners, rows, release
):
    where = path("scripted")
    partner = campaign.add_partner(where)
    partners.answers[where] = 503
    campaign.report_purchases(7)
    eventually(lambda: health(rows, partner["partnerId"]).get("breaker") == Breaker.OPEN, "an open breaker")
    eventually(lambda: len(campaign.all_deliveries()) == 7, "a row for each")
    held = campaign.report_purchases(3)

    def held_rows() -> list[Delivery]:
        found = [row for row in campaign.all_deliveries() if row.notice.click_id in held]
        return found if len(found) == 3 else []

    waiting = eventually(held_rows, "the deliveries created while the breaker is open")
    assert {row.state for row in waiting} == {DeliveryState.RETRYING}
    assert min(row.attempt_count for row in waiting) == 0
    assert Hold.BREAKER in {row.held_by for row in waiting}
    assert len(partners.at(where)) < 40
    partners.answers[where] = 200

    def all_have_ended() -> bool:
        """Release deliveries at once, even those that a probe in progress has deferred for a minute."""
        for row in in_state(campaign, DeliveryState.RETRYING):
            if row.due_at is not None and row.due_at > times.plus(times.now(), seconds=10):
                key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
                rows.set("Deliveries", key, dueAt=times.now())
        release()
        return all(row.state in (DeliveryState.DELIVERED, DeliveryState.PARKED) for row in campaign.all_deliveries())

    eventually(all_have_ended, "the end of every delivery")
    parked = in_state(campaign, DeliveryState.PARKED)
    assert len(in_state(campaign, DeliveryState.DELIVERED)) == 10 - len(parked)
    ids = [received.delivery_id for received in partners.at(where) if received.answered == 200]
    assert len(ids) == len(set(ids)) == 10 - len(parked)
    assert len(parked) < 10, "nothing was delivered after the recovery"


def test_a_partners_rate_limit_is_respected(campaign, partners, release):
    where = path("ok")
    campaign.add_partner(where, maxPerSecond=2)
    campaign.report_purchases(9)

    def all_are_delivered() -> bool:
        release()
        return len(in_state(campaign, DeliveryState.DELIVERED)) == 9

    eventually(all_are_delivered, "all nine")
    moments = sorted(row.attempts[0].at for row in campaign.all_deliveries())
    # Two for each second of the clock: eight take four of them, so more than two seconds. A busy machine may delay an
    # attempt after its permit; one second is left for that.
    assert all(later > times.plus(earlier, seconds=1) for earlier, later in zip(moments, moments[7:], strict=False))
    assert len({received.delivery_id for received in partners.at(where)}) == len(partners.at(where)) == 9


def test_a_partner_that_answers_410_is_paused_and_resuming_reports_what_it_missed(campaign, partners, admin, rows):
    where = path("scripted")
    partner_id = campaign.add_partner(where)["partnerId"]
    partners.answers[where] = 410
    campaign.report_purchases(2)
    paused = eventually(
        lambda: (found := admin.get(f"/api/v1/admin/partners/{partner_id}").data)["status"] == "paused" and found,
        "the pause",
    )
    assert paused["pauseReason"] == "it answered 410 Gone 2 times"
    eventually(
        lambda: all(row.state is not DeliveryState.RETRYING or row.held_by for row in campaign.all_deliveries()),
        "the end of retries",
    )
    requests = len(partners.at(where))
    missed = campaign.report_purchases(1)
    never(
        lambda: [row for row in campaign.all_deliveries() if row.notice.click_id in missed],
        "a delivery to a paused partner",
    )
    assert len(partners.at(where)) == requests
    partners.answers[where] = 200
    resumed = admin.patch("partners", partner_id, status="active").data
    assert resumed["missed"]["since"] == paused["pausedAt"]
    assert "pauseReason" not in resumed
    assert health(rows, partner_id)["goneReplies"] == 0


def test_a_partner_that_answers_410_to_retries_is_paused_too(campaign, partners, admin, stack):
    where = path("scripted")
    partner_id = campaign.add_partner(where)["partnerId"]
    partners.answers[where] = 503
    with withheld(stack, "RetryDeliveries"):
        campaign.report_purchases(2)
        eventually(lambda: len(partners.at(where)) == 2, "the first attempts")
        partners.answers[where] = 410
    eventually(lambda: admin.get(f"/api/v1/admin/partners/{partner_id}").data["status"] == "paused", "the pause")


@pytest.fixture
def published_events(stack) -> Iterator[str]:
    """Yield the URL of a queue that receives the system's events."""
    queue = stack.aws.sqs.create_queue(QueueName="partner-events")["QueueUrl"]
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.aws.events.put_rule(Name="partner-events", EventPattern=json.dumps({"source": ["ricochet"]}))
    stack.aws.events.put_targets(Rule="partner-events", Targets=[{"Id": "1", "Arn": arn}])
    yield queue
    stack.aws.events.remove_targets(Rule="partner-events", Ids=["1"])
    stack.aws.events.delete_rule(Name="partner-events")
    stack.aws.sqs.delete_queue(QueueUrl=queue)


def test_a_pause_is_published_as_an_event(campaign, partners, stack, published_events):
    where = path("scripted")
    partner_id = campaign.add_partner(where)["partnerId"]
    partners.answers[where] = 410
    campaign.report_purchases(2)

    def event() -> dict:
        messages = stack.aws.sqs.receive_message(QueueUrl=published_events, WaitTimeSeconds=1).get("Messages", [])
        found = [json.loads(message["Body"]) for message in messages]
        return next((one for one in found if one["detail"]["partnerId"] == partner_id), {})

    published = eventually(event, "the event")
    assert (published["detail-type"], published["detail"]["percent"]) == ("Partner Paused", 100)


def test_reconciliation_creates_a_missing_delivery(campaign, partners, stack, rows, release):
    where = path("ok")
    campaign.add_partner(where)
    campaign.report()
    row = campaign.delivery(DeliveryState.DELIVERED)
    key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
    stack.aws.dynamodb.delete_item(TableName=stack.table("Deliveries"), Key=to_wire(key))
    (conversion,) = rows.conversions(campaign.click_id)
    changed_at = conversion["updatedAt"]
    of_this_conversion = {"since": changed_at, "until": times.plus(changed_at, milliseconds=1)}
    swept = invoke(stack, "ReconcileDeliveries", **of_this_conversion)
    assert (swept["missing"], swept["complete"]) == (1, True)
    again = released(campaign, release)
    assert again.delivery_id == row.delivery_id
    assert [received.delivery_id for received in partners.at(where)] == [row.delivery_id] * 2
    assert invoke(stack, "ReconcileDeliveries", **of_this_conversion)["missing"] == 0


def test_reconciliation_finds_a_delivery_whose_message_was_lost(campaign, partners, stack, release):
    """A purged queue leaves it so: the row waits for a message that no longer exists."""
    where = path("scripted")
    campaign.add_partner(where)
    partners.answers[where] = 503
    queue_url = stack.outputs["FailedDeliveriesQueueUrl"]
    with withheld(stack, "RetryDeliveries"):
        campaign.report()
        row = campaign.delivery(DeliveryState.RETRYING)
        assert row.attempt_count == 1
        eventually(lambda: take_messages(stack, queue_url, row.conversion_id), "the message")
    partners.answers[where] = 200
    never(lambda: campaign.deliveries()[0].attempt_count > 1, "a retry")
    assert campaign.delivery(DeliveryState.RETRYING).attempt_count == 1
    swept = invoke(stack, "ReconcileDeliveries", since=times.now(), until=times.plus(times.now(), seconds=1))
    assert swept["stranded"] >= 1
    assert released(campaign, release).attempt_count == 2


def test_a_delivery_to_a_paused_partner_is_parked_before_its_row_expires(campaign, partners, admin, stack, rows):
    where = path("scripted")
    partner_id = campaign.add_partner(where)["partnerId"]
    partners.answers[where] = 503
    with withheld(stack, "RetryDeliveries"):
        campaign.report()
        campaign.delivery(DeliveryState.RETRYING)
        admin.patch("partners", partner_id, status="paused")
    waiting = eventually(lambda: (row := campaign.deliveries()[0]).held_by is Hold.PAUSED and row, "the hold")
    requests = len(partners.at(where))
    key = {"conversionId": waiting.conversion_id, "deliveryKey": waiting.delivery_key}
    rows.set("Deliveries", key, ttl=times.epoch_seconds(times.plus(times.now(), hours=1)))
    swept = invoke(stack, "ReconcileDeliveries", since=times.now(), until=times.plus(times.now(), seconds=1))
    assert swept["givenUp"] == 1
    assert campaign.deliveries()[0].state is DeliveryState.PARKED
    queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]
    eventually(lambda: take_messages(stack, queue_url, waiting.conversion_id), "the message in the parking queue")
    assert len(partners.at(where)) == requests


def released(campaign: Campaign, release: Callable[[], int]) -> Delivery:
    """Release until the one delivery is delivered; return it."""

    def look() -> list[Delivery]:
        release()
        return in_state(campaign, DeliveryState.DELIVERED)

    (row,) = eventually(look, "the delivery")
    return row


def take_messages(stack: Stack, queue_url: str, conversion_id: str) -> bool:
    """Delete messages from the queue; return whether this conversion's was among them."""
    messages = stack.aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        stack.aws.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return any(conversion_id in message["Body"] for message in messages)


def test_a_partner_whose_reply_updates_the_status_does_not_receive_its_own_update(campaign, partners, person):
    decides, listens = path("scripted"), path("ok")
    campaign.add_partner(decides, replyUpdatesStatus=True)
    campaign.add_partner(listens)
    partners.replies[decides] = '{"status": "Purchase"}'
    campaign.report("Lead", amount=4)
    eventually(lambda: person.app.wallet()["balance"] == 4, "the credit")
    eventually(lambda: len(partners.at(listens)) == 2, "both versions")
    assert [received.query["status"] for received in partners.at(listens)] == ["Lead", "Purchase"]
    partners.replies[decides] = ""
    campaign.report("Refund")
    eventually(lambda: person.app.wallet()["balance"] == 0, "the refund")
    eventually(lambda: len(partners.at(decides)) == 2, "the refund's postback")
    assert [received.query["status"] for received in partners.at(decides)] == ["Lead", "Reject"]
    lead = next(row for row in campaign.deliveries() if row.partner_status)
    assert (lead.version, lead.partner_status) == (1, "approved")


def test_a_partner_reply_credits_no_more_than_the_caps_allow(campaign, partners, person, new_product):
    campaign.product = new_product(caps={"perUser": 1})
    where = path("scripted")
    campaign.add_partner(where, replyUpdatesStatus=True)
    partners.replies[where] = "Purchase"
    campaign.report("Lead", amount=4)
    eventually(lambda: person.app.wallet()["balance"] == 4, "the credit")
    campaign.click_id = ""
    campaign.report("Lead", amount=7)
    held = eventually(lambda: person.app.earnings()["earnings"][0].get("reason"), "the hold")
    assert held == "over_user_cap"
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (4, 7)


def test_a_partner_reply_to_a_retry_can_reverse_a_credit(campaign, partners, person, stack):
    where = path("scripted")
    campaign.add_partner(where, replyUpdatesStatus=True)
    partners.answers[where] = 503
    with withheld(stack, "RetryDeliveries"):
        campaign.report("Purchase", amount=4)
        campaign.delivery(DeliveryState.RETRYING)
        partners.answers[where] = 200
        partners.replies[where] = "Reject"
    eventually(lambda: [line["amount"] for line in person.app.earnings()["earnings"]] == [-4, 4], "the reversal")
    assert person.app.wallet()["balance"] == 0


def test_without_permission_a_partner_reply_is_only_recorded(campaign, partners, person):
    where = path("scripted")
    campaign.add_partner(where)
    partners.replies[where] = "Purchase"
    campaign.report("Lead", amount=4)
    assert campaign.delivery(DeliveryState.DELIVERED).partner_status == "approved"
    never(lambda: person.app.wallet()["balance"], "a credit")


def test_a_partner_reply_cannot_approve_money_held_for_review(campaign, partners, person, stack):
    where = path("scripted")
    campaign.add_partner(where, replyUpdatesStatus=True)
    partners.replies[where] = "Purchase"
    campaign.report("Purchase", amount=101)
    row = campaign.delivery(DeliveryState.DELIVERED)
    assert (row.notice.status, row.partner_status) == ("pending", "approved")
    never(lambda: person.app.wallet()["balance"], "a credit")
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (0, 101)
