"""The delivery engine as deployed: partners in trouble are held back, nothing is lost, and gaps are found."""

from __future__ import annotations

import json
import time

import pytest

from local.stack import Stack
from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.delivery.partners.partner_health import Breaker
from ricochet.dynamodb.wire import to_wire
from ricochet.values import times
from tests.integration.conftest import Rows, eventually
from tests.integration.telling import path


def run(stack: Stack, function: str, **event: str) -> dict:
    reply = stack.aws.lambda_.invoke(FunctionName=stack.function(function), Payload=json.dumps(event).encode())
    assert "FunctionError" not in reply
    return json.loads(reply["Payload"].read())


@pytest.fixture
def release(stack):
    return lambda: run(stack, "ReleaseDueDeliveries")["released"]


def health(rows: Rows, partner_id: str) -> dict:
    return next(iter(rows.find("Health", subject=partner_id)), {})


def in_state(told, state: DeliveryState) -> list:
    return [row for row in told.all_rows() if row.state is state]


def test_a_partner_that_is_down_is_left_alone_and_told_everything_when_it_is_back(told, partners, rows, release):
    where = path("as-told")
    partner = told.partner(where)
    partners.answers[where] = 503
    told.convert_anew(7)
    eventually(lambda: health(rows, partner["partnerId"]).get("breaker") == Breaker.OPEN, "an open breaker")
    eventually(lambda: len(told.all_rows()) == 7, "a row for each")
    held = told.convert_anew(3)
    waiting = eventually(
        lambda: (
            (found := [row for row in told.all_rows() if row.notice.click_id in held]) and len(found) == 3 and found
        ),
        "what came while the breaker was open",
    )
    assert {row.state for row in waiting} == {DeliveryState.RETRYING}
    assert min(row.attempt_count for row in waiting) == 0
    assert Hold.BREAKER in {row.held_by for row in waiting}
    before_it_was_back = len(partners.at(where))
    assert before_it_was_back < 40
    partners.answers[where] = 200
    parked = {row.delivery_id for row in in_state(told, DeliveryState.PARKED)}

    def all_told() -> bool:
        """What came while a probe was under way waits for a minute; here it does not."""
        for row in in_state(told, DeliveryState.RETRYING):
            if row.due_at is not None and row.due_at > times.plus(times.now(), seconds=10):
                key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
                rows.set("Deliveries", key, dueAt=times.now())
        release()
        return len(in_state(told, DeliveryState.DELIVERED)) == 10 - len(parked)

    eventually(all_told, "everything told", seconds=120)
    ids = [received.delivery_id for received in partners.at(where) if received.answered == 200]
    assert len(ids) == len(set(ids)) == 10 - len(parked)


def test_a_partner_gets_no_more_a_second_than_it_wants(told, partners, release):
    where = path("ok")
    told.partner(where, maxPerSecond=2)
    told.convert_anew(9)

    def all_told() -> bool:
        release()
        return len(partners.at(where)) == 9

    eventually(all_told, "all nine")
    seconds = sorted(received.at for received in partners.at(where))
    assert all(later - earlier > 1 for earlier, later in zip(seconds, seconds[5:], strict=False))
    assert len({received.delivery_id for received in partners.at(where)}) == 9


def test_a_partner_that_is_gone_is_paused_and_resuming_says_what_it_missed(told, partners, admin, rows):
    where = path("as-told")
    partner_id = told.partner(where)["partnerId"]
    partners.answers[where] = 410
    told.convert_anew(2)
    paused = eventually(
        lambda: (found := admin.get(f"/api/v1/admin/partners/{partner_id}").data)["status"] == "paused" and found,
        "the pause",
    )
    assert paused["pauseReason"] == "it answered 410 Gone 2 times"
    asked = len(partners.at(where))
    missed = told.convert_anew(1)
    time.sleep(1.5)
    assert len(partners.at(where)) == asked
    assert not [row for row in told.all_rows() if row.notice.click_id in missed]
    partners.answers[where] = 200
    resumed = admin.patch("partners", partner_id, status="active").data
    assert resumed["missed"]["since"] == paused["pausedAt"]
    assert "pauseReason" not in resumed
    assert health(rows, partner_id)["goneReplies"] == 0


def test_a_partner_that_is_gone_when_it_is_retried_is_paused_too(told, partners, admin):
    where = path("as-told")
    partner_id = told.partner(where)["partnerId"]
    partners.answers[where] = 503
    told.convert_anew(2)
    eventually(lambda: len(partners.at(where)) == 2, "the first attempts")
    partners.answers[where] = 410
    eventually(lambda: admin.get(f"/api/v1/admin/partners/{partner_id}").data["status"] == "paused", "the pause")


def test_operators_are_told_of_a_pause_by_an_event(told, partners, stack):
    queue = stack.aws.sqs.create_queue(QueueName="partner-events")["QueueUrl"]
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    stack.aws.events.put_rule(Name="partner-events", EventPattern=json.dumps({"source": ["ricochet"]}))
    stack.aws.events.put_targets(Rule="partner-events", Targets=[{"Id": "1", "Arn": arn}])
    where = path("as-told")
    partner_id = told.partner(where)["partnerId"]
    partners.answers[where] = 410
    told.convert_anew(2)

    def event() -> dict:
        messages = stack.aws.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        found = [json.loads(message["Body"]) for message in messages]
        return next((one for one in found if one["detail"]["partnerId"] == partner_id), {})

    told_of = eventually(event, "the event")
    assert (told_of["detail-type"], told_of["detail"]["percent"]) == ("Partner Paused", 100)


def test_the_sweep_finds_a_delivery_that_is_missing(told, partners, stack, rows, release):
    where = path("ok")
    told.partner(where)
    told.convert()
    row = told.row(DeliveryState.DELIVERED)
    key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
    stack.aws.dynamodb.delete_item(TableName=stack.table("Deliveries"), Key=to_wire(key))
    since = times.plus(row.created_at, minutes=-1)
    swept = run(stack, "ReconcileDeliveries", since=since, until=times.now())
    assert (swept["missing"], swept["complete"]) == (1, True)
    release()
    again = told.row(DeliveryState.DELIVERED)
    assert again.delivery_id == row.delivery_id
    assert [received.delivery_id for received in partners.at(where)] == [row.delivery_id] * 2
    assert run(stack, "ReconcileDeliveries", since=since, until=times.now())["missing"] == 0


def test_the_sweep_finds_a_delivery_whose_message_was_lost(told, partners, stack, release):
    """As a queue that was purged leaves it: the row waits, and nobody will ever come for it."""
    where = path("as-told")
    told.partner(where)
    partners.answers[where] = 503
    queue_url = stack.outputs["FailedDeliveriesQueueUrl"]
    (mapping,) = stack.aws.lambda_.list_event_source_mappings(FunctionName=stack.function("RetryDeliveries"))[
        "EventSourceMappings"
    ]
    stack.aws.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        time.sleep(1)
        told.convert()
        row = told.row(DeliveryState.RETRYING)
        assert row.attempt_count == 1
        eventually(lambda: take_messages(stack, queue_url, row.conversion_id), "the message")
    finally:
        stack.aws.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    partners.answers[where] = 200
    time.sleep(2)
    assert told.row(DeliveryState.RETRYING).attempt_count == 1
    swept = run(stack, "ReconcileDeliveries", since=times.now(), until=times.plus(times.now(), seconds=1))
    assert swept["stranded"] >= 1
    release()
    assert told.row(DeliveryState.DELIVERED).attempt_count == 2


def test_what_waits_for_a_paused_partner_until_its_row_would_expire_is_parked(told, partners, admin, stack, rows):
    where = path("as-told")
    partner_id = told.partner(where)["partnerId"]
    partners.answers[where] = 503
    told.convert()
    told.row(DeliveryState.RETRYING)
    admin.patch("partners", partner_id, status="paused")
    waiting = eventually(lambda: told.rows()[0].held_by is Hold.PAUSED and told.rows()[0], "the wait")
    asked = len(partners.at(where))
    key = {"conversionId": waiting.conversion_id, "deliveryKey": waiting.delivery_key}
    rows.set("Deliveries", key, ttl=times.epoch_seconds(times.plus(times.now(), hours=1)))
    swept = run(stack, "ReconcileDeliveries", since=times.now(), until=times.plus(times.now(), seconds=1))
    assert swept["givenUp"] == 1
    assert told.rows()[0].state is DeliveryState.PARKED
    queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]
    eventually(lambda: take_messages(stack, queue_url, waiting.conversion_id), "the message in the parking queue")
    assert len(partners.at(where)) == asked


def take_messages(stack: Stack, queue_url: str, conversion_id: str) -> bool:
    """Takes what is on the queue and loses it; whether this conversion's was there."""
    messages = stack.aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        stack.aws.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return any(conversion_id in message["Body"] for message in messages)


def test_a_partner_that_decides_moves_the_conversion_and_is_not_told_of_its_own_word(told, partners, person):
    decides, listens = path("as-told"), path("ok")
    told.partner(decides, replyUpdatesStatus=True)
    told.partner(listens)
    partners.replies[decides] = '{"status": "Purchase"}'
    told.convert("Lead", amount=4)
    eventually(lambda: person.app.wallet()["balance"] == 4, "the credit")
    eventually(lambda: len(partners.at(listens)) == 2, "both versions")
    assert [received.query["status"] for received in partners.at(listens)] == ["Lead", "Purchase"]
    partners.replies[decides] = ""
    told.convert("Refund")
    eventually(lambda: person.app.wallet()["balance"] == 0, "the refund")
    eventually(lambda: len(partners.at(decides)) == 2, "the refund's postback")
    assert [received.query["status"] for received in partners.at(decides)] == ["Lead", "Reject"]
    lead = next(row for row in told.rows() if row.partner_status)
    assert (lead.version, lead.partner_status) == (1, "approved")


def test_a_partner_that_decides_credits_no_more_than_the_caps_say(told, partners, person, new_product):
    told.product = new_product(caps={"perUser": 1})
    where = path("as-told")
    told.partner(where, replyUpdatesStatus=True)
    partners.replies[where] = "Purchase"
    told.convert("Lead", amount=4)
    eventually(lambda: person.app.wallet()["balance"] == 4, "the credit")
    told.click_id = ""
    told.convert("Lead", amount=7)
    held = eventually(lambda: person.app.earnings()["earnings"][0].get("reason"), "the hold")
    assert held == "over_user_cap"
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (4, 7)


def test_a_partner_that_decides_when_it_is_retried_takes_back_what_was_credited(told, partners, person):
    where = path("as-told")
    told.partner(where, replyUpdatesStatus=True)
    partners.answers[where] = 503
    told.convert("Purchase", amount=4)
    told.row(DeliveryState.RETRYING)
    partners.answers[where] = 200
    partners.replies[where] = "Reject"
    eventually(lambda: [line["amount"] for line in person.app.earnings()["earnings"]] == [-4, 4], "the reversal")
    assert person.app.wallet()["balance"] == 0


def test_a_partner_that_does_not_decide_is_only_quoted(told, partners, person):
    where = path("as-told")
    told.partner(where)
    partners.replies[where] = "Purchase"
    told.convert("Lead", amount=4)
    assert told.row(DeliveryState.DELIVERED).partner_status == "approved"
    time.sleep(1)
    assert person.app.wallet()["balance"] == 0


def test_a_partner_cannot_approve_money_that_a_person_must_look_at(told, partners, person, stack):
    where = path("as-told")
    told.partner(where, replyUpdatesStatus=True)
    partners.replies[where] = "Purchase"
    told.convert("Purchase", amount=101)
    row = told.row(DeliveryState.DELIVERED)
    assert (row.notice.status, row.partner_status) == ("pending", "approved")
    time.sleep(2)
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (0, 101)
