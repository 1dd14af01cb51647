"""Our own platform fails at any point: nothing is lost, and only unavoidable requests are sent twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.queues import DeliveryMessage
from tests.faults.deployed.conftest import QUEUE_READER, STREAM_READER
from tests.integration.campaign import path
from tests.integration.functions import invoke, queue_is_empty
from tests.waiting import PATIENCE, eventually

PAST = "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("moment", "is_repeated"),
    [
        ("killed before it sends", False),
        ("killed after the answer, before the row", True),
        ("killed after the row, before the message", False),
        ("killed after the message, before the acknowledgement", False),
    ],
)
def test_a_killed_distribution_loses_nothing(campaign, oracle, platform, conversions, moment, is_repeated, fault):
    """Two partners are to receive it; then the deployed function receives the stream record again."""
    campaign.add_partner(path("ok"))
    campaign.add_partner(path("ok"))
    with platform.withheld(STREAM_READER):
        event = platform.stream_event(*conversions(1))
        assert platform.invoke(STREAM_READER, event, moment).was_killed
        sent = oracle.requests()
    if is_repeated:  # the other partner's request may have been on its way
        duplicates = range(1, 3)
    else:
        duplicates = 0
        assert sent == (0 if moment == "killed before it sends" else 2)
    fault(moment, "SIGKILL in distribute_conversions", oracle.reconcile(2, duplicates))


@pytest.mark.parametrize(
    ("moment", "is_repeated"),
    [
        ("killed before it sends", False),
        ("killed after the answer, before the record", True),
        ("killed after the record, before the message", False),
        ("killed after the message, before the acknowledgement", False),
    ],
)
def test_a_killed_retry_loses_nothing(campaign, oracle, partners, platform, rows, moment, is_repeated, fault):
    where = path("scripted")
    campaign.add_partner(where)
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        campaign.report()
        row = campaign.delivery(DeliveryState.RETRYING)
        partners.answers[where] = 200
        with platform.received(row) as event:
            assert platform.invoke(QUEUE_READER, event, moment).was_killed
            (now,) = campaign.deliveries()
            if now.lease_until:
                key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
                rows.set("Deliveries", key, leaseUntil=PAST)  # as if the killed function's lease had ended
    fault(moment, "SIGKILL in retry_deliveries", oracle.reconcile(1, int(is_repeated)))


def test_a_batch_without_enough_time_is_queued(campaign, oracle, partners, platform, conversions, fault):
    """With less than the reserve of ten seconds left nothing is sent: all is queued, and delivered from there."""
    campaign.add_partner(path("ok"))
    with platform.withheld(STREAM_READER):
        event = platform.stream_event(*conversions(5))
        invoked = platform.invoke(STREAM_READER, event, seconds=9)
        assert invoked.returncode == 0, invoked.output
        assert oracle.requests() <= 5
    fault("time runs out", "9 s left of the invocation", oracle.reconcile(5))


def test_a_batch_killed_by_the_lambda_timeout_loses_nothing(campaign, oracle, partners, platform, conversions, fault):
    """One partner has answered and is recorded, the other has not when the process is killed."""
    quick, slow = path("ok"), path("held")
    campaign.add_partner(quick)
    campaign.add_partner(slow)
    with platform.withheld(STREAM_READER):
        event = platform.stream_event(*conversions(1))
        with partners.holding() as has_held, platform.start(STREAM_READER) as process:
            process.stdin.write(json.dumps(event))
            process.stdin.close()
            assert has_held.wait(PATIENCE)
            oracle.wait_for(1)
            process.kill()
        eventually(lambda: partners.at(slow), "the answer that was never read")
    fault("timeout in the middle of a batch", "SIGKILL before a partner answers", oracle.reconcile(2, 1))
    assert len(partners.at(quick)) == 1


def test_a_stream_record_received_three_times_is_delivered_once(campaign, oracle, platform, conversions, fault):
    campaign.add_partner(path("ok"))
    campaign.add_partner(path("ok"))
    event = platform.stream_event(*conversions(3))
    oracle.reconcile(6)
    for _ in range(2):
        assert platform.invoke(STREAM_READER, event).returncode == 0
    fault("duplicate stream record", "received three times", oracle.reconcile(6))


def test_a_message_received_six_times_is_delivered_once(campaign, oracle, partners, platform, stack, fault):
    where = path("scripted")
    campaign.add_partner(where)
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        campaign.report()
        row = campaign.delivery(DeliveryState.RETRYING)
        partners.answers[where] = 200
        body = DeliveryMessage.of(row).to_body()
        for _ in range(5):
            stack.aws.sqs.send_message(QueueUrl=stack.outputs["FailedDeliveriesQueueUrl"], MessageBody=body)
    outcome = oracle.reconcile(1)
    eventually(lambda: queue_is_empty(stack, stack.outputs["FailedDeliveriesQueueUrl"]), "the end of all messages")
    assert oracle.reconcile(1) == outcome
    fault("duplicate message", "six in the queue", outcome)


@pytest.mark.parametrize(
    ("name", "fails"),
    [("DynamoDB throttles for a while", False), ("DynamoDB throttles", True)],
)
def test_throttling_by_dynamodb_loses_nothing(campaign, oracle, platform, conversions, name, fails, fault):
    """A request that could not be recorded is sent again: we cannot know that it was sent."""
    campaign.add_partner(path("ok"))
    with platform.withheld(STREAM_READER):
        event = platform.stream_event(*conversions(1))
        assert platform.invoke(STREAM_READER, event, name).has_failed is fails
        sent = oracle.requests()
    fault(name, "ProvisionedThroughputExceeded", oracle.reconcile(1, int(fails)))
    assert sent == 1


@pytest.mark.parametrize("name", ["SQS fails", "SQS refuses messages"])
def test_a_failure_of_sqs_loses_nothing(campaign, oracle, partners, platform, conversions, name, fault):
    """The rows show that messages are missing, so the stream's second try queues them without sending again."""
    where = path("scripted")
    campaign.add_partner(where)
    partners.answers[where] = 503
    with platform.withheld(STREAM_READER, QUEUE_READER):
        ids = conversions(3)
        assert platform.invoke(STREAM_READER, platform.stream_event(*ids), name).has_failed
        assert len(campaign.all_deliveries()) == 3
        partners.answers[where] = 200
    fault(name, "SendMessageBatch", oracle.reconcile(3))


def test_a_retry_uses_the_partners_new_url(campaign, oracle, partners, platform, admin, fault):
    before, after = path("scripted"), path("ok")
    partner_id = campaign.add_partner(before)["partnerId"]
    partners.answers[before] = 503
    with platform.withheld(QUEUE_READER):
        campaign.report()
        campaign.delivery(DeliveryState.RETRYING)
        url = f"{partners.url}{after}?click_id={{click_id}}"
        assert admin.patch("partners", partner_id, postbackUrl=url).status == 200
        campaign.paths[partner_id] = after
    outcome = oracle.reconcile(1)
    assert [one.answered for one in partners.at(before)] == [503]
    fault("partner edited between attempts", "another URL", outcome)


def test_a_retry_waits_while_its_partner_is_paused(campaign, oracle, partners, platform, admin, stack, fault):
    where = path("scripted")
    partner_id = campaign.add_partner(where)["partnerId"]
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        campaign.report()
        campaign.delivery(DeliveryState.RETRYING)
        admin.patch("partners", partner_id, status="paused")
        partners.answers[where] = 200
    eventually(lambda: campaign.deliveries()[0].held_by == "paused", "the hold")
    assert oracle.requests() == 1
    admin.patch("partners", partner_id, status="active")
    invoke(stack, "ReleaseDueDeliveries")
    fault("partner paused between attempts", "and resumed", oracle.reconcile(1))


def test_a_retry_is_signed_with_both_secrets_after_a_rotation(campaign, oracle, partners, platform, admin, fault):
    """The retry carries two signatures: it can be verified with the old secret and with the new one."""
    where = path("scripted")
    created = campaign.add_partner(where, method="POST")
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        campaign.report()
        campaign.delivery(DeliveryState.RETRYING)
        rotated = admin.patch("partners", created["partnerId"], rotateSigningSecret=True).data
        partners.answers[where] = 200
    outcome = oracle.reconcile(1)
    first, second = partners.at(where)
    assert signed_with(first, created, rotated) == {created["signingSecret"]}
    assert signed_with(second, created, rotated) == {created["signingSecret"], rotated["signingSecret"]}
    fault("secret rotated between attempts", "both secrets sign", outcome)


def signed_with(received, *partners) -> set[str]:
    """Return the secrets that verify one of the request's signatures."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{received.body}".encode()
    signatures = headers["webhook-signature"].split()
    return {
        partner["signingSecret"] for partner in partners if f"v1,{mac(partner['signingSecret'], signed)}" in signatures
    }


def mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_an_unreadable_message_is_parked_after_five_receives(stack, fault):
    queue_url, parked = stack.outputs["FailedDeliveriesQueueUrl"], stack.outputs["ParkedDeliveriesQueueUrl"]
    once = {"attributes": {"ApproximateReceiveCount": "1"}}
    event = {"Records": [{"messageId": "m-1", "body": "nonsense"} | once, {"messageId": "m-2", "body": "{}"} | once]}
    answer = invoke(stack, QUEUE_READER, **event)
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m-1", "m-2"]
    attributes = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(attributes["Attributes"]["RedrivePolicy"])
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=parked, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert (policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])) == (arn, 5)
    fault("unreadable message", "not one of ours", "returned to the queue, and parked after five times")
